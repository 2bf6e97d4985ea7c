export type Comparison = 'eq' | 'ne' | 'co' | 'sw' | 'ew' | 'gt' | 'ge' | 'lt' | 'le';
export type Value = string | number | boolean | null;

/** A filter (RFC 7644, section 3.4.2.2) as a tree. Paths are as they were written; what they mean the schema says. */
export type Filter =
  | { kind: 'and' | 'or'; parts: Filter[] }
  | { kind: 'not'; part: Filter }
  | { kind: 'present'; path: string }
  | { kind: 'compare'; path: string; operator: Comparison; value: Value }
  /** `emails[type eq "work"]`: one element that meets all of it. */
  | { kind: 'element'; path: string; filter: Filter };

/** The path of a PATCH operation (RFC 7644, figure 7). */
export interface PatchPath {
  path: string;
  filter?: Filter;
  sub?: string;
}
