/** Why runs wait: the sentence with the runs that it names, and when it may change without an event. */

export interface WaitHolder {
  id: string;
  name: string;
}

/** Plain text, or the name of a run with its id. */
export interface Piece {
  text: string;
  id?: string;
}

const NAMES_FOLLOW = /.*(?: in use, by |^limit of .+ \d+\/\d+: )/;
const NAME_LEADS = "Run ";

/** Splits the sentence into pieces, so that the runs it names can be links. Runs that it doesn't name are left out. */
export function piecesOf(sentence: string, holders: readonly WaitHolder[]): Piece[] {
  const names = NAMES_FOLLOW.exec(sentence);
  let end = names ? names[0].length : sentence.startsWith(NAME_LEADS) ? NAME_LEADS.length : 0;
  let position = 0;
  const pieces: Piece[] = [];
  for (const { id, name } of holders) {
    const at = name ? sentence.indexOf(name, end) : -1;
    if (at < 0) break;
    if (at > position) pieces.push({ text: sentence.slice(position, at) });
    pieces.push({ text: name, id });
    end = at + name.length;
    position = end;
  }
  if (position < sentence.length) pieces.push({ text: sentence.slice(position) });
  return pieces;
}

const REACHED = /^The (limit of .+) is reached: (\d+) of (\d+) in use, by (.+)\.$/;

/** The same for a table cell, with the names first so that they aren't cut off. */
export function brief(sentence: string): string {
  return sentence.replace(REACHED, "$1 $2/$3: $4");
}

interface Waits {
  state: { type: string };
  scheduledTime: string;
  waitReason: string | null;
}

const LOOK_AGAIN = 60_000;
const LONGEST = 3_600_000;

/** Milliseconds until the reasons of waiting runs are refetched: when the next run is due, and periodically for causes
 * without an event, such as an agent that stops responding. */
export function lookAgainIn(runs: readonly Waits[], now: number): number | false {
  let soonest = Number.POSITIVE_INFINITY;
  for (const { state, scheduledTime, waitReason } of runs) {
    if (state.type !== "SCHEDULED" || waitReason === null) continue;
    const due = Date.parse(scheduledTime) - now;
    soonest = Math.min(soonest, due > 0 ? due + 500 : LOOK_AGAIN);
  }
  return Number.isFinite(soonest) ? Math.min(soonest, LONGEST) : false;
}

/** Whether a person can start it before its time. */
export function canStartNow(run: { state: { type: string; name: string }; waitCode: string | null }): boolean {
  return run.state.type === "SCHEDULED" && run.state.name !== "Paused" && run.waitCode === "not_due";
}
