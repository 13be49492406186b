/* mdf eval --explain: heat-map methods compared. */
#ifndef MDF_APPS_EVAL_EXPLAIN_H
#define MDF_APPS_EVAL_EXPLAIN_H

#include "app.h"
#include "engine/heat_compare.h"
#include "report/html.h"

/* The methods that --explain names: "a,b", the flag repeated, or "all". Wrong usage: another name.
 * *all: what the model does not suit is left out, not refused. */
mdf_status eval_explain_parse(app *a, const arg_list *values, bool method[MDF_EXPLAIN_METHODS],
                              bool *all, mdf_error *err);

/* Takes out what e's model can't be explained by, with a word on stderr; refuses it unless all. */
mdf_status eval_explain_suit(const app *a, const mdf_engine *e, bool method[MDF_EXPLAIN_METHODS],
                             bool all, mdf_error *err);

/* The comparison as a table of the report. */
typedef struct eval_maps_table {
    mdf_report_table table; /* points into the rest */
    mdf_strbuf note, name[MDF_HEAT_ROWS];
    const char *names[MDF_HEAT_ROWS];
    double value[MDF_HEAT_ROWS][MDF_HEAT_SAYS + 3];
} eval_maps_table;

/* c: NULL: nothing, no table. Caller frees what is in *out, on failure too. */
mdf_status eval_maps_table_of(eval_maps_table *out, const mdf_heat_compare *c, size_t resamples,
                              mdf_error *err);
void eval_maps_table_free(eval_maps_table *t);

#endif
