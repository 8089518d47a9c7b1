/** The command and the request equivalent to the form. */

import { Button } from "react-aria-components";
import type { Flow } from "../../api/flows";
import { toCommand } from "../../lib/form-model";
import { type Json, printJson } from "../../lib/json";
import { copyText } from "../../ui/copy";

interface RequestProps {
  flow: Flow;
  parameters: Record<string, Json>;
  scheduledTime: string | undefined;
  name: string;
}

export function RequestView({ flow, parameters, scheduledTime, name }: RequestProps) {
  const command = toCommand(flow.name, flow.project.name, parameters);
  const body = {
    project: flow.project.name,
    flow: flow.name,
    parameters,
    ...(name && { name }),
    ...(scheduledTime && { scheduled_time: scheduledTime }),
  };
  return (
    <aside className="request" aria-label="Equivalent command and request">
      <CodeBlock
        title="As a command"
        text={command}
        note={scheduledTime || name ? "Starts now, with a generated name." : undefined}
      />
      <CodeBlock title="As a request: POST /api/v1/flow-runs" text={printJson(body, 2)} />
    </aside>
  );
}

function CodeBlock({ title, text, note }: { title: string; text: string; note?: string }) {
  return (
    <section className="card">
      <div className="card-head">
        <h2>{title}</h2>
        <span className="spring" />
        <Button className="button small quiet" onPress={() => void copyText(text, "Copied.")}>
          Copy
        </Button>
      </div>
      <pre className="mono code">{text}</pre>
      {note && <p className="muted card-note">{note}</p>}
    </section>
  );
}
