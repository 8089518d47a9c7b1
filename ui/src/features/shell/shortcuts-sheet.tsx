import { useState } from "react";
import { Dialog } from "../../ui/dialog";
import { shownShortcuts, useShortcuts } from "../../ui/shortcuts";

/** `?` lists the keyboard shortcuts of the page. */
export function ShortcutsSheet() {
  const [isOpen, setOpen] = useState(false);
  useShortcuts("Help", [{ keys: "?", label: "Keyboard shortcuts", run: () => setOpen(true) }]);
  return (
    <Dialog title="Keyboard shortcuts" isOpen={isOpen} onClose={() => setOpen(false)}>
      {isOpen &&
        shownShortcuts().map((scope) => (
          <section key={scope.name} className="keys">
            <h3>{scope.name}</h3>
            <dl>
              {scope.shortcuts.map((shortcut) => (
                <div key={shortcut.keys}>
                  <dt>{shortcut.label}</dt>
                  <dd>
                    {shortcut.keys.split(" ").map((key) => (
                      <kbd key={key}>{key}</kbd>
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
    </Dialog>
  );
}
