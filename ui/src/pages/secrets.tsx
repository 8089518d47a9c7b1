import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "react-aria-components";
import { type Secret, secretsQuery } from "../api/secrets";
import { DeleteSecretDialog } from "../features/secrets/delete-secret-dialog";
import { SecretsTable } from "../features/secrets/secrets-table";
import { SetSecretDialog } from "../features/secrets/set-secret-dialog";
import { useMay, useWriting } from "../features/session/permissions";
import { Empty, Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";
import { useShortcuts } from "../ui/shortcuts";

export function SecretsPage() {
  usePageTitle("Secrets");
  const query = useQuery(secretsQuery);
  const may = useMay()("secrets:edit");
  const writing = useWriting();
  const [setting, setSetting] = useState<Secret | "new" | null>(null);
  const [deleting, setDeleting] = useState<Secret | null>(null);
  const add = () => may && writing.allowed && setSetting("new");
  useShortcuts("Secrets", may ? [{ keys: "n", label: "New secret…", run: add }] : []);
  const secrets = query.data ?? [];
  const button = may && (
    <Button className="button primary" isDisabled={!writing.allowed} onPress={add}>
      New secret…
    </Button>
  );
  return (
    <div className="page page-full">
      <div className="page-head">
        <h1>Secrets</h1>
        <span className="muted number">{query.data?.length}</span>
        <span className="spring" />
        {secrets.length > 0 && button}
      </div>
      <div className="card table-card fitted">
        <section className="table-box" aria-label="Secrets" tabIndex={0}>
          {query.isPending ? (
            <Skeleton rows={6} label="secrets" />
          ) : query.isError && !query.data ? (
            <Failure error={query.error} retry={() => void query.refetch()} what="The secrets" />
          ) : secrets.length === 0 ? (
            <Empty title="No secrets." action={button}>
              A secret is a password or a key that tasks need. Only runs of flows that declare it can read it; people
              can set and delete it. On the command line: <code>appliance secret set NAME --project PROJECT</code>.
            </Empty>
          ) : (
            <SecretsTable
              secrets={secrets}
              isEditable={may && writing.allowed}
              onReplace={setSetting}
              onDelete={setDeleting}
            />
          )}
        </section>
      </div>
      {setting && (
        <SetSecretDialog
          secrets={secrets}
          secret={setting === "new" ? null : setting}
          onClose={() => setSetting(null)}
        />
      )}
      {deleting && <DeleteSecretDialog secret={deleting} onClose={() => setDeleting(null)} />}
    </div>
  );
}
