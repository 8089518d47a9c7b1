import { revokeToken, type Token } from "../../api/people";
import type { Keyed } from "../../lib/keys";
import { ConfirmDialog } from "../../ui/confirm-dialog";
import { Instant } from "../../ui/instant";
import { toast } from "../../ui/toasts";
import { useChange } from "./use-change";

export function RevokeTokenDialog({ token, onClose }: { token: Token; onClose: () => void }) {
  const revoke = useChange(
    (content: Keyed<object>) => revokeToken(token.id, content),
    () => {
      toast(`Revoked ${token.name}.`);
      onClose();
    },
  );
  return (
    <ConfirmDialog
      title={`Revoke token ${token.name}?`}
      isOpen
      onClose={onClose}
      keep="Keep token"
      confirm="Revoke token"
      isDanger
      isPending={revoke.isPending}
      error={revoke.error}
      hasReason={false}
      onConfirm={() => revoke.mutate({})}
    >
      <p>
        <span className="mono">{token.prefix}…</span> of {token.username}
        {token.last_used ? (
          <>
            , last used <Instant at={token.last_used} />
          </>
        ) : (
          ", never used"
        )}
        .
      </p>
      <p className="muted">Whatever uses it is refused at once. This can't be undone.</p>
    </ConfirmDialog>
  );
}
