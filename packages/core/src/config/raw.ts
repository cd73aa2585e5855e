import type { ConfigPath } from './config-error.ts'

// Readers for data of which nothing is known yet. They take anything, so that a check can look past what is wrong.

/** Takes one finding. */
export type Report = (path: ConfigPath, message: string, hint?: string, at?: 'key' | 'value') => void

/** An object of unknown content. */
export type Raw = Readonly<Record<string, unknown>>

/** Whether a value is an object of keys and values. */
export const isObject = (value: unknown): value is Raw =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A value as an object; an empty one where it is none. */
export const record = (value: unknown): Raw => (isObject(value) ? value : {})

/** A value as a list; an empty one where it is none. */
export const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

/** One value or a list of them as a list; an empty one where there is nothing. */
export const listOf = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? value : value === undefined ? [] : [value]
