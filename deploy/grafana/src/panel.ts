import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
  type Dashboard,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { StackingConfigBuilder, StackingMode } from '@grafana/grafana-foundation-sdk/common';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

/** A PromQL expression, and the name of its series: `{{label}}` stands for a label's value. */
export interface Query {
  expr: string;
  legend: string;
}

export interface PanelOptions {
  title: string;
  /** What it shows, and what to conclude from it. */
  description: string;
  /** Grafana's name of a unit: `s`, `bytes`, `Bps`, `percentunit`, `short` and others. */
  unit: string;
  queries: readonly Query[];
  /** Show the newest value in large letters instead of lines over time. */
  stat?: true;
  /** Stack the series, which add up to a whole. */
  stacked?: true;
  /** Width in columns, of 24; by default 12, for a stat 4. */
  columns?: number;
}

export interface DashboardOptions {
  /** Part of its URL and of its file name. */
  name: string;
  title: string;
  description: string;
  annotations?: readonly { name: string; expr: string; title: string; color: string }[];
  rows: readonly { title: string; panels: readonly PanelOptions[] }[];
}

const dataSource = { type: 'prometheus', uid: '${datasource}' };

/**
 * Label matchers of the chosen run: names are unique within a namespace. In a Prometheus without namespaces the choice is
 * empty, which matches series without the label.
 */
export const chosen = 'namespace=~"$namespace", run=~"$run"';

/** A dashboard in Grafana's format, with three variables: the data source, the namespace and the run. */
export function toDashboard({ name, title, description, annotations = [], rows }: DashboardOptions): Dashboard {
  const dashboard = new DashboardBuilder(title)
    .uid(`fourfold-${name}`)
    .description(description)
    .tags(['fourfold'])
    .timezone('browser')
    .refresh('10s')
    .time({ from: 'now-1h', to: 'now' })
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    .withVariable(choice('namespace', 'Namespace', 'label_values(fourfold_iteration, namespace)'))
    .withVariable(choice('run', 'Run', 'label_values(fourfold_iteration{namespace=~"$namespace"}, run)'));
  for (const { name, expr, title, color } of annotations) {
    dashboard.annotation(
      new AnnotationQueryBuilder()
        .name(name)
        .datasource(dataSource)
        .enable(true)
        .iconColor(color)
        .expr(expr)
        .titleFormat(title),
    );
  }
  for (const { title, panels } of rows) {
    dashboard.withRow(new RowBuilder(title));
    for (const panel of panels) dashboard.withPanel(panel.stat ? toStat(panel) : toTimeseries(panel));
  }
  return dashboard.build();
}

const choice = (name: string, label: string, query: string): QueryVariableBuilder =>
  new QueryVariableBuilder(name)
    .label(label)
    .datasource(dataSource)
    .query(query)
    .refresh(VariableRefresh.OnTimeRangeChanged);

function toStat({ title, description, unit, queries, columns = 4 }: PanelOptions): StatBuilder {
  const panel = new StatBuilder().title(title).description(description).datasource(dataSource);
  // By default Grafana shows values above 80 in red.
  const plain = new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([{ value: null, color: 'text' }]);
  return panel.unit(unit).thresholds(plain).span(columns).height(4).targets(toTargets(queries));
}

function toTimeseries(options: PanelOptions): TimeseriesBuilder {
  const { title, description, unit, queries, stacked, columns = 12 } = options;
  const panel = new TimeseriesBuilder().title(title).description(description).datasource(dataSource);
  panel.unit(unit).span(columns).height(8).lineWidth(1).targets(toTargets(queries));
  if (stacked) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal)).fillOpacity(30).min(0);
  return panel;
}

const toTargets = (queries: readonly Query[]): DataqueryBuilder[] =>
  queries.map(({ expr, legend }, index) =>
    new DataqueryBuilder()
      .refId(String.fromCharCode('A'.charCodeAt(0) + index))
      .datasource(dataSource)
      .expr(expr)
      .legendFormat(legend)
      .range(),
  );
