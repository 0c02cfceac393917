/** One thing that was checked. */
export interface Finding {
  subject: string;
  ok: boolean;
  /** Nothing works without it. */
  required: boolean;
  detail: string;
}
