import { useState } from "react";
import { listIn, USUAL_CAPACITY } from "../../lib/agents";

const CAPACITY = /^[1-9]\d{0,3}$|^10000$/;

/** What is typed about a new agent, what that means, and what is wrong with it. */
export function useAgentForm(labels: string, projects: string) {
  const [typed, setTyped] = useState({ name: "", labels, projects, capacity: USUAL_CAPACITY });
  const type = (field: keyof typeof typed) => (value: string) => setTyped((before) => ({ ...before, [field]: value }));
  const agent = {
    name: typed.name.trim(),
    labels: listIn(typed.labels),
    projects: listIn(typed.projects),
    capacity: typed.capacity.trim(),
  };
  const errors = {
    name: agent.name ? undefined : "Enter a name.",
    capacity: CAPACITY.test(agent.capacity) ? undefined : "Enter a whole number from 1 to 10,000.",
  };
  return { typed, type, agent, errors };
}
