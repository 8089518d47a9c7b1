import { Button } from "react-aria-components";
import { Dialog } from "../../ui/dialog";
import { PasswordForm } from "./password-form";

export function PasswordDialog({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  return (
    <Dialog title="Change password" isOpen={isOpen} onClose={onClose}>
      <PasswordForm onDone={onClose}>
        <Button className="button" onPress={onClose}>
          Keep password
        </Button>
      </PasswordForm>
    </Dialog>
  );
}
