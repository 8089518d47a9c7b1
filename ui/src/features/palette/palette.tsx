import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, useCallback, useEffect, useState } from "react";
import {
  Dialog as AriaDialog,
  Autocomplete,
  Collection,
  Header,
  Input,
  Menu,
  MenuItem,
  MenuSection,
  Modal,
  ModalOverlay,
  SearchField,
} from "react-aria-components";
import { readSearch } from "../../lib/palette";
import { type SiteDialog, SiteDialogs } from "../home/site-dialogs";
import type { Choice, Open, Section } from "./choices";
import { type Destination, useSections } from "./use-sections";
import "./palette.css";

const LONGEST = 200;

interface Props {
  isOpen: boolean;
  /** What is in the box at first. */
  text: string;
  onClose: () => void;
  pages: readonly Destination[];
}

/** Everything by its name: pages, objects, and what can be done. What is dangerous opens its dialog. */
export default function Palette({ isOpen, text, onClose, pages }: Props) {
  const [dialog, setDialog] = useState<SiteDialog | null>(null);
  const closeDialog = useCallback(() => setDialog(null), []);
  return (
    <>
      <ModalOverlay
        className="overlay palette-overlay"
        isOpen={isOpen}
        onOpenChange={(open) => !open && onClose()}
        isDismissable
      >
        <Modal className="modal palette">
          <AriaDialog className="palette-dialog" aria-label="Search and commands">
            <Search text={text} pages={pages} onClose={onClose} onDialog={setDialog} />
          </AriaDialog>
        </Modal>
      </ModalOverlay>
      <SiteDialogs open={dialog} onClose={closeDialog} />
    </>
  );
}

interface SearchProps extends Omit<Props, "isOpen"> {
  onDialog: (dialog: SiteDialog) => void;
}

function Search(props: SearchProps) {
  const [text, setText] = useState(props.text);
  const open = useOpen();
  const search = readSearch(text);
  const { sections, isWaiting, problem } = useSections(search, props.pages, {
    open,
    openDialog: props.onDialog,
    searchDocs: () => setText(`?${search.words}`),
  });
  const choices = sections.flatMap(({ items }) => items);
  const [early, setEarly] = useState("");
  const choose = (choice: Choice) => {
    setEarly("");
    if (choice.id !== "search docs") props.onClose();
    choice.run?.();
  };
  const enter = (choice: Choice) => {
    if (choice.href) window.open(choice.href, "_blank", "noopener");
    choose(choice);
  };
  /** The result that has the focus, which follows the typing by half a second; before that, the first one, as soon as there is one. */
  const onEnter = (event: KeyboardEvent<HTMLElement>) => {
    if (event.key !== "Enter") return;
    const choice = choices.find(({ id }) => id === focusedKey(event.target)) ?? choices[0];
    if (!choice) {
      setEarly(isWaiting ? text : "");
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    enter(choice);
  };
  useEffect(() => {
    if (early && early === text && !isWaiting && choices[0]) enter(choices[0]);
  });
  return (
    <Autocomplete inputValue={text} onInputChange={setText}>
      <div onKeyDownCapture={onEnter}>
        <SearchField className="palette-field" aria-label="Search and commands" autoFocus>
          <Input className="palette-input" placeholder="Search, or do something…" maxLength={LONGEST} />
        </SearchField>
      </div>
      <Menu
        className="menu palette-list"
        aria-label="Results"
        items={sections}
        renderEmptyState={() => (
          <p className="palette-empty muted">
            {problem ? problem.message : isWaiting ? "Searching…" : emptyFor(search)}
          </p>
        )}
      >
        {(section) => <Results section={section} onChoose={choose} />}
      </Menu>
      <p className="palette-hint muted">
        <kbd>&gt;</kbd> commands <kbd>#</kbd> ID <kbd>@</kbd> people <kbd>?</kbd> documentation
      </p>
    </Autocomplete>
  );
}

/** The key of the result that has the focus for those who type into this field. */
function focusedKey(field: EventTarget): string | undefined {
  const id = field instanceof HTMLElement ? field.getAttribute("aria-activedescendant") : null;
  return document.getElementById(id ?? "")?.dataset.key;
}

function Results({ section, onChoose }: { section: Section; onChoose: (choice: Choice) => void }) {
  return (
    <MenuSection id={`${section.id} ${section.title}`}>
      <Header className="menu-header">{section.title}</Header>
      <Collection items={section.items}>
        {(choice) => (
          <MenuItem
            id={choice.id}
            className="menu-item palette-item"
            textValue={choice.label}
            href={choice.href}
            target={choice.href && "_blank"}
            onAction={() => onChoose(choice)}
          >
            {choice.icon && (
              <svg
                className={`state-icon text-${choice.family}`}
                width="14"
                height="14"
                viewBox="0 0 12 12"
                aria-hidden="true"
              >
                <path d={choice.icon} />
              </svg>
            )}
            <span className="palette-label">{choice.label}</span>
            {choice.detail && <span className="muted palette-detail">{choice.detail}</span>}
            {choice.keys && <kbd>{choice.keys}</kbd>}
          </MenuItem>
        )}
      </Collection>
    </MenuSection>
  );
}

function emptyFor({ scope, words, id }: ReturnType<typeof readSearch>): string {
  if (scope === "ids" && !id) return "Paste the ID of a run, a flow or an agent.";
  if (scope === "docs" && !words) return "Type what the documentation is to be searched for.";
  if (id) return "There is no run, flow or agent with this ID.";
  return `Nothing fits “${words}”.`;
}

/** Goes to one of the app's addresses. */
function useOpen(): Open {
  const navigate = useNavigate();
  return (path) => void navigate({ to: path });
}
