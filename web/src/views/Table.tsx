/** A table that becomes a list of cards where the screen is narrow: nothing is scrolled sideways, nothing is hidden. */

import type { ComponentChildren } from "preact";

export interface Column<Row> {
  id: string;
  name: string;
  cell: (row: Row) => ComponentChildren;
  /** Stands at the right, as numbers do. */
  isNumber?: boolean;
  /** A sentence, which is folded. */
  isText?: boolean;
  /** What a row is called by: the head of its card. */
  isTitle?: boolean;
}

interface Props<Row> {
  caption: string;
  columns: Column<Row>[];
  rows: Row[];
  keyOf: (row: Row) => string;
}

/** The roles are written out because a browser drops them from a table that is laid out as cards. */
export function Table<Row>({ caption, columns, rows, keyOf }: Props<Row>) {
  const look = (column: Column<Row>) =>
    [column.isNumber && "number", column.isText && "sentence", column.isTitle && "title"]
      .filter(Boolean)
      .join(" ");
  return (
    <table class="cards" role="table">
      <caption>{caption}</caption>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map((column) => (
            <th key={column.id} scope="col" role="columnheader" class={look(column)}>
              {column.name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr key={keyOf(row)} role="row" data-row={keyOf(row)}>
            {columns.map((column) => (
              <td
                key={column.id}
                role="cell"
                class={look(column)}
                data-name={column.name}
                data-column={column.id}
              >
                <span>{column.cell(row)}</span>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
