// Inputs with a label, what they mean, and what the API found wrong with them.
import { html } from "./html.js";

const NOT_SET = "not set";

/** `problems`: sentences. `children`: the control, with the attributes of `attributesOf`. `about`: what few will read. */
function Field({ id, label, summary, problems, about = null, children }) {
  return html`
    <div class="field" data-wrong=${problems.length > 0}>
      <label for=${id}>${label}</label>
      <div class="control">
        ${children}
        <div id=${`${id}-help`} class="help">
          ${problems.map((problem) => html`<p class="problem" key=${problem}>${problem}</p>`)}
          ${summary && html`<p><${Prose} text=${summary} /></p>`}
        </div>
        ${about}
      </div>
    </div>
  `;
}

const attributesOf = (id, problems) => ({
  id,
  name: id,
  "aria-describedby": `${id}-help`,
  "aria-invalid": problems.length > 0 ? "true" : null,
});

/** A text without a vocabulary behind it. */
export function TextField({ id, label, summary, problems = [], value, onChange, type = "text", ...rest }) {
  return html`
    <${Field} id=${id} label=${label} summary=${summary} problems=${problems}>
      <input
        ...${attributesOf(id, problems)}
        type=${type}
        autocomplete="off"
        spellcheck=${false}
        ...${rest}
        value=${value}
        onInput=${(event) => onChange(event.currentTarget.value)}
      />
    <//>
  `;
}

/** `choices`: [{ value, text }] */
export function ChoiceField({ id, label, summary, problems = [], choices, value, onChange }) {
  return html`
    <${Field} id=${id} label=${label} summary=${summary} problems=${problems}>
      <select ...${attributesOf(id, problems)} value=${value} onChange=${(event) => onChange(event.currentTarget.value)}>
        ${choices.map((choice) => html`<option key=${choice.value} value=${choice.value}>${choice.text}</option>`)}
      </select>
    <//>
  `;
}

/** `field`: of `fieldsOf`. */
export function OptionField({ field, value, problems = [], onChange }) {
  const id = `option-${field.name}`;
  const attributes = attributesOf(id, problems);
  const chosen =
    field.control === "select" ? field.choices.find((choice) => String(choice.value) === value) : undefined;
  return html`
    <${Field} id=${id} label=${field.name} summary=${field.summary} problems=${problems} about=${html`<${About} field=${field} />`}>
      <${Control} field=${field} attributes=${attributes} value=${value} onChange=${onChange} />
      ${chosen !== undefined && chosen.effect !== "" && html`<p class="meaning"><${Prose} text=${chosen.effect} /></p>`}
    <//>
  `;
}

function Control({ field, attributes, value, onChange }) {
  const type = (event) => onChange(event.currentTarget.value);
  switch (field.control) {
    case "select":
      return html`
        <select ...${attributes} value=${value} onChange=${type}>
          <option value="">${NOT_SET}</option>
          ${field.choices.map((choice) => html`<option key=${choice.value} value=${String(choice.value)}>${String(choice.value)}</option>`)}
        </select>
      `;
    case "checkbox":
      return html`<input ...${attributes} type="checkbox" checked=${value} onChange=${(event) => onChange(event.currentTarget.checked)} />`;
    case "number":
      return html`
        <input
          ...${attributes}
          type="number"
          min=${Number.isFinite(field.min) ? field.min : null}
          max=${Number.isFinite(field.max) ? field.max : null}
          step=${field.step}
          placeholder=${NOT_SET}
          value=${value}
          onInput=${type}
        />
      `;
    default:
      return html`
        <input ...${attributes} type="text" autocomplete="off" spellcheck=${false} placeholder=${placeholderOf(field)} value=${value} onInput=${type} />
      `;
  }
}

const placeholderOf = ({ examples: [example] }) =>
  example === undefined ? NOT_SET : `${NOT_SET}; for instance ${String(example.value)}`;

/** All there is to know, folded away. */
function About({ field }) {
  const { name, details, format, examples, limits, goesWith } = field;
  if (details === "") return null;
  return html`
    <details>
      <summary>About <span class="name">${name}</span></summary>
      <p><${Prose} text=${details} /></p>
      ${format !== "" && html`<p>Written as <${Prose} text=${format} />.</p>`}
      ${goesWith !== null && html`<p>Goes with <code>${goesWith.option}=${String(goesWith.value)}</code>.</p>`}
      ${field.control === "number" && Number.isFinite(field.max) && html`<p>Between ${field.min} and ${field.max}.</p>`}
      <ul>
        ${examples.map(({ value, effect }) => html`<li key=${value}><code>${String(value)}</code> <${Prose} text=${effect} /></li>`)}
      </ul>
      ${limits.map((limit) => html`<p class="limit" key=${limit.key}>Here <code>${limit.key}</code> is <b>${limit.value}</b>: <${Prose} text=${limit.description} /></p>`)}
    </details>
  `;
}

/** The options' own texts mark code with backticks. */
function Prose({ text }) {
  return text.split("`").map((part, i) => (i % 2 === 0 ? part : html`<code key=${i}>${part}</code>`));
}
