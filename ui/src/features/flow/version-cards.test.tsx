import { screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { flow } from "../../test/builders";
import { renderPage } from "../../test/render";
import { VersionCard } from "./version-cards";

test("the card names what a version restores, what changed, and the versions before", async () => {
  const plain = flow();
  const version = { ...plain.version, restores: 1, changes: ["the code", "label gpu added"] };
  const entry = { createdBy: "alice", created: version.created };
  const versions = [
    { number: 3, restores: 1, changes: version.changes, ...entry },
    { number: 2, restores: null, changes: ["parameter n removed"], ...entry },
    { number: 1, restores: null, changes: [], ...entry },
  ];
  await renderPage(<VersionCard flow={flow([], { version, versions })} hasEarlier />);
  expect(screen.getByRole("heading", { name: "Version 3, restores 1" })).toBeTruthy();
  expect(screen.getByText("the code; label gpu added")).toBeTruthy();
  const earlier = within(screen.getByRole("list", { name: "Earlier versions" })).getAllByRole("listitem");
  expect(earlier.map((item) => item.textContent?.slice(0, 9))).toEqual(["Version 2", "Version 1"]);
});

test("the card says which image has the code, by its digest or else its id", async () => {
  const plain = flow();
  const image = { name: "finance:3f2a9c81d0ab", id: `sha256:${"1".repeat(64)}`, digest: "" };
  const shown = (digest: string) => flow([], { version: { ...plain.version, image: { ...image, digest } } });
  const { unmount } = await renderPage(<VersionCard flow={shown("")} />);
  expect(screen.getByText("finance:3f2a9c81d0ab").parentElement?.textContent).toBe(
    "finance:3f2a9c81d0ab sha256:111111111111",
  );
  unmount();
  await renderPage(<VersionCard flow={shown(`sha256:${"2".repeat(64)}`)} />);
  expect(screen.getByText("sha256:222222222222").title).toBe(`sha256:${"2".repeat(64)}`);
});
