import { expect } from 'chai'
import { CapacityError } from '../../src/state/control.ts'
import { RecordTable } from '../../src/state/records.ts'

describe('RecordTable', () => {
  it('gives an identity one number, and says when it is a new one', () => {
    const table = new RecordTable('gates', 3)
    const made: number[] = []
    const assign = (id: string) => table.assign(id, (record) => made.push(record))
    expect([assign('a'), assign('b'), assign('a')]).to.deep.equal([0, 1, 0])
    expect(made).to.deep.equal([0, 1])
  })

  it('gives a number anew when its identity is gone', () => {
    const table = new RecordTable('gates', 2)
    table.assign('a', () => {})
    table.assign('b', () => {})
    table.free('a')
    table.free('a')
    table.free('never there')
    expect(table.assign('c', () => {})).to.equal(0)
    expect([...table.byId]).to.deep.equal([
      ['b', 1],
      ['c', 0],
    ])
  })

  it('refuses one more than its capacity in a sentence, and takes one again when one is gone', () => {
    const table = new RecordTable('gates', 2)
    table.assign('a', () => {})
    table.assign('b', () => {})
    const refused = () => table.assign('c', () => {})
    expect(refused).to.throw(CapacityError, /^The configuration has more than 2 gates\.$/)
    expect(refused).to.throw(CapacityError)
    expect([...table.byId.keys()]).to.deep.equal(['a', 'b'])
    table.free('b')
    expect(table.assign('c', () => {})).to.equal(1)
  })
})
