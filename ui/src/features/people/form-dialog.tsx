import type { ReactNode } from "react";
import { Dialog } from "../../ui/dialog";
import { FormEnd, type FormEndProps } from "../../ui/form-end";

interface Props extends FormEndProps {
  title: string;
  onSubmit: () => void;
  children: ReactNode;
}

/** A dialog with a form. */
export function FormDialog(props: Props) {
  const { title, onClose, isPending, isDisabled, onSubmit, children } = props;
  return (
    <Dialog title={title} isOpen onClose={onClose}>
      <form
        className="form"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (!isPending && !isDisabled) onSubmit();
        }}
      >
        {children}
        <FormEnd {...props} />
      </form>
    </Dialog>
  );
}
