/* The report of a run: one HTML file with everything inside (pictures as data: URLs, no script, no
 * outside resource), readable by screen readers and fit for print. */
#ifndef MDF_REPORT_HTML_H
#define MDF_REPORT_HTML_H

#include "report/heatmap.h"
#include "report/plot.h"
#include "train/metrics.h"

typedef struct mdf_report_fact {
    const char *name;
    const char *value;
} mdf_report_fact;

/* A chart of curves; drawn when it has a series. */
typedef struct mdf_report_chart {
    const mdf_plot_series *series;
    size_t count;
    mdf_plot_options options;
    const char *alt; /* for who can't see it, e.g. "Loss falls from 1.8 to 0.4 in 20 epochs" */
} mdf_report_chart;

/* A case of the gallery. prob: [K] by the report's labels. */
typedef struct mdf_report_case {
    const char *name;    /* file name */
    const char *text;    /* what the model was told; "" or NULL = nothing */
    int label;           /* -1 = unknown */
    const float *prob;   /* [K] */
    mdf_png_bytes image; /* borrowed; from mdf_heatmap_draw() */
} mdf_report_case;

/* Numbers, a line each. */
typedef struct mdf_report_table {
    const char *title;
    const char *note;        /* a paragraph before it */
    const char *const *head; /* [columns] */
    const char *const *name; /* [rows] */
    const double *value;     /* [rows,columns]; NAN is a dash */
    size_t columns, rows;
} mdf_report_table;

/* Everything is borrowed; what is zero is left out. */
typedef struct mdf_report {
    const char *title;
    const char *summary; /* one paragraph under the title */
    const mdf_report_fact *facts;
    size_t fact_count;
    const mdf_report_chart *charts;
    size_t chart_count;
    const mdf_metrics *metrics;
    const mdf_metrics_input *input; /* for ROC and reliability */
    const mdf_report_chart *curves; /* beside them */
    size_t curve_count;
    const mdf_metrics_naming *naming;
    const char *const *labels; /* [K] */
    size_t classes;
    const mdf_report_table *table; /* of heat-maps, before the cases */
    const mdf_report_case *cases;
    size_t case_count;
} mdf_report;

/* Replaces path at once or leaves it as it was. */
mdf_status mdf_report_write(const char *path, const mdf_report *r, mdf_error *err) MDF_NODISCARD;

#endif
