/** Where limen dev answers. */
export declare const defaultURL: string

export interface Options {
  /** The public URL of limen in development; http://localhost:4455 unless told. */
  url?: string | URL
  /** How long to wait for a letter, in milliseconds; 15000 unless told. */
  timeout?: number
}

/** A letter, or a message to a phone. */
export interface Message {
  id: string
  channel: 'email' | 'sms'
  to: string
  from: string
  /** Empty for a message to a phone. */
  subject: string
  text: string
  /** Empty for a message to a phone. */
  html: string
  links: string[]
  /** Empty for a letter without a code. */
  code: string
  /** RFC 3339. */
  sent_at: string
}

/**
 * The development inbox of one limen. A letter counts if it came after the last mark(), and
 * it is given out once, so an old code is never returned.
 */
export declare class Inbox {
  /** Every letter counts until mark() is called: use openInbox() unless the inbox is empty. */
  constructor(options?: Options)

  /** Has every letter that is in the inbox now count as old. */
  mark(): Promise<void>

  /**
   * The code of the newest letter to an address, or message to a number, that was not given
   * out before. Rejects when none came in time.
   */
  waitForCode(to: string, options?: { timeout?: number }): Promise<string>

  /** The same for the link. A letter that carries both gives out each of them once. */
  waitForLink(to: string, options?: { timeout?: number }): Promise<string>

  /** What is in the inbox for an address or a number, or for everybody, newest first. */
  messages(to?: string): Promise<Message[]>

  /** Empties the inbox. */
  clear(): Promise<void>

  /** Moves the clock of limen forward, by seconds or by a duration such as "31d" or "15m". */
  advanceClock(by: number | string): Promise<void>

  /** Sets the clock of limen back to the machine's. */
  resetClock(): Promise<void>
}

/** Opens the inbox. What is in it already does not count. Do it before the deed that sends. */
export declare function openInbox(options?: Options): Promise<Inbox>

/**
 * The code of the next letter to an address. Only letters that come after the call count, so
 * call it before the deed, and await it afterwards; openInbox() is easier where there are
 * several letters.
 */
export declare function waitForCode(to: string, options?: Options): Promise<string>

/** The same for the link. */
export declare function waitForLink(to: string, options?: Options): Promise<string>
