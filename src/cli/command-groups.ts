/**
 * Commands whose name has two words, `content copy`: the first word is the group. There is no list of groups; they
 * follow from the names of the commands. A group may have the name of a command too: `products` shows them, `products
 * select` selects.
 */

/** `content` for `content copy`; undefined for a name of one word. */
export function groupOf(name: string): string | undefined {
  const blank = name.indexOf(' ');
  return blank < 0 ? undefined : name.slice(0, blank);
}

/** `copy` for `content copy`; a name of one word as it is. */
export function memberOf(name: string): string {
  return name.slice(name.indexOf(' ') + 1);
}

/** The groups among `names`, each once, in the order of the names. */
export function groupsOf(names: readonly string[]): string[] {
  return [...new Set(names.flatMap((name) => groupOf(name) ?? []))];
}

/** Second words of a group's commands; none if `group` is no group's name. */
export function membersOf(group: string, names: readonly string[]): string[] {
  return names.filter((name) => groupOf(name) === group).map(memberOf);
}

/** What may be the first word: commands of one word, and groups; in the order of the names. */
export function firstWords(names: readonly string[]): string[] {
  return [...new Set(names.map((name) => groupOf(name) ?? name))];
}
