/** Which of a browser's tabs leads: by a lock, or by messages where there are no locks (sites over plain HTTP). */

type Message = { type: "ask" } | { type: "lead"; rank: string } | { type: "leave" };

export interface Follower {
  /** This tab leads from now on. */
  lead: () => void;
  /** Another tab leads after all: both were asleep, or began at one moment. */
  follow: () => void;
}

/** An answer takes milliseconds, also from a tab in the background: only its timers are slowed down. */
const ANSWER_WITHIN = 300;
const SPREAD = 200;
const ASK_EVERY = 4_000;

/** Takes part until the function that it returns is called. */
export function takePart(name: string, follower: Follower): () => void {
  if (navigator.locks) return byLock(name, follower);
  if (typeof BroadcastChannel !== "undefined") return byMessages(name, follower);
  follower.lead();
  return () => {};
}

function byLock(name: string, { lead }: Follower): () => void {
  let leave = () => {};
  let left = false;
  void navigator.locks.request(name, () => {
    if (left) return;
    lead();
    return new Promise<void>((resolve) => {
      leave = resolve;
    });
  });
  return () => {
    left = true;
    leave();
  };
}

/** A tab that asks and gets no answer leads. Of two leaders, the one that has led longer goes on. */
export function byMessages(name: string, follower: Follower): () => void {
  const channel = new BroadcastChannel(`${name} leader`);
  const tab = Math.random().toString(36).slice(2);
  let rank = "";
  let timer = 0;
  const say = (message: Message) => channel.postMessage(message);
  const later = (wait: number, what: () => void) => {
    window.clearTimeout(timer);
    timer = window.setTimeout(what, wait);
  };
  const ask = () => {
    if (rank) return;
    later(ANSWER_WITHIN + Math.random() * SPREAD, lead);
    say({ type: "ask" });
  };
  const lead = () => {
    rank = `${String(Date.now()).padStart(15, "0")} ${tab}`;
    follower.lead();
    remind();
  };
  const remind = () => {
    later(ASK_EVERY, remind); // a leader that was put to sleep learns in this way that another leads
    say({ type: "lead", rank });
  };
  const follow = () => {
    if (rank) follower.follow();
    rank = "";
    later(ASK_EVERY + Math.random() * ASK_EVERY, ask); // the first to ask asks for all
  };
  const leave = () => {
    window.clearTimeout(timer);
    if (rank) say({ type: "leave" });
    if (rank) follower.follow();
    rank = "";
  };
  channel.onmessage = ({ data }: MessageEvent<Message>) => {
    if (data.type === "ask" && rank) say({ type: "lead", rank });
    else if (data.type === "lead" && rank && rank < data.rank) say({ type: "lead", rank });
    else if (data.type === "lead") follow();
    else if (data.type === "leave") later(Math.random() * SPREAD, ask);
  };
  // A page that is left may be kept for the way back, and then it must neither lead nor answer.
  const back = (event: PageTransitionEvent) => event.persisted && ask();
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", back);
  ask();
  return () => {
    leave();
    window.removeEventListener("pagehide", leave);
    window.removeEventListener("pageshow", back);
    channel.close();
  };
}
