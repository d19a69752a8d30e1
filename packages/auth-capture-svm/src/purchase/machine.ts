/** State machines of a purchase, as tables: what each event makes of each state. No I/O, no clock. */

/** States, with what becomes of each by the events that can happen in it. */
export type Table<State extends string, Event extends string> = Readonly<
  Record<State, Readonly<Partial<Record<Event, State>>>>
>;

/** Something happened that can't happen to a purchase in its state; nothing changes. */
export class IllegalError extends Error {
  override readonly name = "IllegalError";
}

/** @throws {IllegalError} if the event can't happen in the state */
export function nextOf<State extends string, Event extends string>(
  table: Table<State, Event>,
  state: State,
  event: Event,
): State {
  const next = table[state][event];
  if (next === undefined) {
    throw new IllegalError(`${event} can't happen to a purchase that is ${state}`);
  }
  return next;
}

/** Returns whether the event can happen in the state. */
export function canHappen<State extends string, Event extends string>(
  table: Table<State, Event>,
  state: State,
  event: Event,
): boolean {
  return table[state][event] !== undefined;
}
