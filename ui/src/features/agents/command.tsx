import { Button } from "react-aria-components";
import { copyText } from "../../ui/copy";

/** Lines for a shell, with a button that copies them. */
export function Command({ text, label }: { text: string; label: string }) {
  return (
    <div className="command-box">
      <section className="command-lines" aria-label={label} tabIndex={0}>
        <pre className="mono">{text}</pre>
      </section>
      <Button className="button small" aria-label={`Copy: ${label}`} onPress={() => void copyText(text, "Copied.")}>
        Copy
      </Button>
    </div>
  );
}
