import { useState } from "react";
import { AGENT_KINDS, type AgentKind, listIn, USUAL_CAPACITY } from "../../lib/agents";

const CAPACITY = /^[1-9]\d{0,3}$|^10000$/;

/** What is typed about a new agent, what that means, and what is wrong with it. */
export function useAgentForm(labels: string, projects: string) {
  const [typed, setTyped] = useState({
    kind: "process",
    name: "",
    image: "",
    labels,
    projects,
    capacity: USUAL_CAPACITY,
  });
  const type = (field: keyof typeof typed) => (value: string) => setTyped((before) => ({ ...before, [field]: value }));
  const kind: AgentKind = AGENT_KINDS.find((one) => one.value === typed.kind)?.value ?? "process";
  const agent = {
    kind,
    image: typed.image.trim(),
    name: typed.name.trim(),
    labels: listIn(typed.labels),
    projects: listIn(typed.projects),
    capacity: typed.capacity.trim(),
  };
  const errors = {
    name: agent.name ? undefined : "Enter a name.",
    image: kind === "process" || agent.image ? undefined : "Enter an image, such as etl:3.",
    capacity: CAPACITY.test(agent.capacity) ? undefined : "Enter a whole number from 1 to 10,000.",
  };
  return { typed, type, agent, errors };
}
