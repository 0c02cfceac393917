/** Of a dashboard's JSON what is drawn. Places are of Grafana's grid of 24 columns. */
export interface DashboardJson {
  title: string;
  annotations?: { list?: { expr?: string; titleFormat?: string; iconColor?: string }[] };
  panels: PanelJson[];
}

export interface PanelJson {
  type: 'row' | 'stat' | 'timeseries';
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string; legendFormat: string }[];
  fieldConfig?: { defaults: { unit?: string; custom?: { stacking?: { mode?: string } } } };
}

/** A text with `{{label}}` replaced by a series' labels. */
export const withLabels = (format: string, labels: Record<string, string>): string =>
  format.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => labels[name] ?? '');
