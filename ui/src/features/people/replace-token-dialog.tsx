import { useState } from "react";
import { rotateToken, type Token } from "../../api/people";
import type { Keyed } from "../../lib/keys";
import { OVERLAPS, USUAL_OVERLAP } from "../../lib/people";
import { SelectField } from "../../ui/select-field";
import { FormDialog } from "./form-dialog";
import { SecretDialog } from "./secret-dialog";
import { useChange } from "./use-change";

/** Replaces a token by a new one; both are valid for a while. */
export function ReplaceTokenDialog({ token, onClose }: { token: Token; onClose: () => void }) {
  const [overlap, setOverlap] = useState<string>(USUAL_OVERLAP);
  const rotate = useChange((content: Keyed<{ overlap: number }>) => rotateToken(token.id, content));
  if (rotate.data) return <SecretDialog created={rotate.data} onClose={onClose} />;
  return (
    <FormDialog
      title={`Replace token ${token.name}`}
      onClose={onClose}
      keep="Keep token"
      confirm="Replace token"
      isPending={rotate.isPending}
      error={rotate.error}
      onSubmit={() => rotate.mutate({ overlap: Number(overlap) })}
    >
      <p>
        Creates a token with the same name, scope, user and lifetime. Put it wherever{" "}
        <span className="mono">{token.prefix}…</span> is used before that one ends.
      </p>
      <SelectField
        label="The old token stays valid for"
        value={overlap}
        onChange={setOverlap}
        options={OVERLAPS}
        help="Or until it expires, if that is earlier."
      />
    </FormDialog>
  );
}
