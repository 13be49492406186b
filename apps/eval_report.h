/* The HTML report of an evaluation: numbers, curves, and a gallery of cases with heat-maps. */
#ifndef MDF_APPS_EVAL_REPORT_H
#define MDF_APPS_EVAL_REPORT_H

#include "engine/heat_check.h"
#include "engine/heat_compare.h"

/* model: the run folder, whose metrics.jsonl gives the training curves when it is there.
 * maps: of --explain, or NULL. */
mdf_status mdf_eval_report_write(const char *path, const char *model, mdf_engine *engine,
                                 const mdf_manifest *m, const mdf_evaluation *e,
                                 const mdf_heat_check *heat, const mdf_heat_compare *maps,
                                 const mdf_metrics_naming *naming, mdf_error *err) MDF_NODISCARD;

#endif
