import type { ContactId, ContactInfo } from "../../../crates/app/bindings/rpc.ts";
import { Avatar } from "./Avatar.tsx";
import { Named } from "./Named.tsx";

/** People to be picked from. */
export function PersonChecks({
  label,
  people,
  picked,
  onChange,
}: {
  label: string;
  people: readonly ContactInfo[];
  picked: ReadonlySet<ContactId>;
  onChange: (picked: ReadonlySet<ContactId>) => void;
}) {
  const toggle = (id: ContactId): void => {
    const next = new Set(picked);
    if (!next.delete(id)) next.add(id);
    onChange(next);
  };
  return (
    <fieldset class="people">
      <legend>{label}</legend>
      {people.map((one) => (
        <label key={one.id} class="person-check">
          <input type="checkbox" checked={picked.has(one.id)} onChange={() => toggle(one.id)} />
          <Avatar id={one.id} name={one.name} size="small" />
          <Named name={one.name} />
        </label>
      ))}
    </fieldset>
  );
}
