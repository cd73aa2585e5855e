import type { ConfigError, ConfigPath } from '@sluice/core'

/** Why a proxy cannot start: a message for people, of one line or one line for each mistake, that needs no stack. */
export class StartError extends Error {
  /** What the command exits with: 2 for a bad configuration or usage, 1 for the rest. */
  readonly exitCode: 1 | 2
  /** The key of the configuration that it is about, when it is about one: whoever has the file knows where it stands. */
  readonly path: ConfigPath | undefined
  /** Every mistake of a configuration by itself, where the message lists mistakes. */
  readonly mistakes: readonly ConfigError[]

  constructor(message: string, exitCode: 1 | 2, path?: ConfigPath, mistakes: readonly ConfigError[] = []) {
    super(message)
    this.name = 'StartError'
    this.exitCode = exitCode
    this.path = path
    this.mistakes = mistakes
  }
}

/** Nothing is brought to life any more: what was asked for came too late, which is nobody's fault. */
export class EndingError extends StartError {
  constructor() {
    super('The proxy is ending and takes no configuration.', 1)
  }
}
