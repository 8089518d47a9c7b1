/** Users and tokens, for administrators: each with its list, its dialogs, and an address of its own. */

import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { Button } from "react-aria-components";
import { tokensQuery, usersQuery } from "../api/people";
import { type Open, PeopleDialogs } from "../features/people/people-dialogs";
import { TokensTable } from "../features/people/tokens-table";
import { useEnable } from "../features/people/use-enable";
import { UsersTable } from "../features/people/users-table";
import { useMay, useWriting } from "../features/session/permissions";
import { counted } from "../lib/counted";
import type { Permission } from "../lib/permissions";
import { Empty, Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";
import { useShortcuts } from "../ui/shortcuts";

export function UsersPage() {
  usePageTitle("Users");
  const may = useMay()("users:manage");
  const query = useQuery({ ...usersQuery, enabled: may });
  const [open, setOpen] = useState<Open | null>(null);
  const enable = useEnable();
  const button = useAddButton("Add user…", () => setOpen({ question: "new user" }));
  return (
    <Frame permission="users:manage" count={query.data && counted(query.data.length, "user")} button={button}>
      <List query={query} what="users" empty={<Empty title="No users." action={button} />}>
        {(users) => (
          <UsersTable
            users={users}
            onAsk={(question, user) => setOpen({ question, user })}
            onEnable={(user) => enable.mutate(user)}
          />
        )}
      </List>
      <PeopleDialogs open={open} onClose={() => setOpen(null)} />
    </Frame>
  );
}

export function TokensPage() {
  usePageTitle("Tokens");
  const may = useMay()("tokens:manage");
  const query = useQuery({ ...tokensQuery, enabled: may });
  const [open, setOpen] = useState<Open | null>(null);
  const button = useAddButton("New token…", () => setOpen({ question: "new token" }));
  const empty = (
    <Empty title="No tokens." action={button}>
      A token lets a program, the command line or an agent in without a password.
    </Empty>
  );
  return (
    <Frame permission="tokens:manage" count={query.data && counted(query.data.length, "token")} button={button}>
      <List query={query} what="tokens" empty={empty}>
        {(tokens) => <TokensTable tokens={tokens} onAsk={(question, token) => setOpen({ question, token })} />}
      </List>
      <PeopleDialogs open={open} onClose={() => setOpen(null)} />
    </Frame>
  );
}

function useAddButton(label: string, add: () => void) {
  const writing = useWriting();
  useShortcuts("People", [{ keys: "n", label, run: () => writing.allowed && add() }]);
  return (
    <Button className="button primary" isDisabled={!writing.allowed} onPress={add}>
      {label}
    </Button>
  );
}

function Frame(props: { permission: Permission; count: string | undefined; button: ReactNode; children: ReactNode }) {
  const may = useMay()(props.permission);
  if (!may) {
    return (
      <Empty
        title="People is for administrators."
        isPage
        action={
          <Link to="/runs" className="button primary">
            Go to runs
          </Link>
        }
      >
        It needs the permission {props.permission}, which the role admin has. An administrator can change your role.
      </Empty>
    );
  }
  return (
    <div className="page page-full">
      <div className="page-head">
        <h1>People</h1>
        <span className="muted number">{props.count}</span>
        <span className="spring" />
        {props.button}
      </div>
      <nav className="filter-bar" aria-label="People">
        <span className="chips">
          <Link to="/people/users" className="chip" activeProps={{ "aria-current": "page" }}>
            Users
          </Link>
          <Link to="/people/tokens" className="chip" activeProps={{ "aria-current": "page" }}>
            Tokens
          </Link>
        </span>
      </nav>
      {props.children}
    </div>
  );
}

function List<Item>(props: {
  query: UseQueryResult<Item[]>;
  what: "users" | "tokens";
  empty: ReactNode;
  children: (items: Item[]) => ReactNode;
}) {
  const { query, what, empty, children } = props;
  return (
    <div className="card table-card fitted">
      <section className="table-box" aria-label={what === "users" ? "Users" : "Tokens"} tabIndex={0}>
        {query.isPending ? (
          <Skeleton rows={6} label={what} />
        ) : !query.data ? (
          <Failure error={query.error as Error} retry={() => void query.refetch()} what={`The ${what}`} />
        ) : query.data.length === 0 ? (
          empty
        ) : (
          children(query.data)
        )}
      </section>
    </div>
  );
}
