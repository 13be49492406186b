/* What mdf eval found out, as JSON and as text. */
#ifndef MDF_APPS_EVAL_RESULT_H
#define MDF_APPS_EVAL_RESULT_H

#include "engine/heat_check.h"
#include "engine/heat_compare.h"

/* A zeroed one is empty. */
typedef struct eval_result {
    mdf_retext how; /* what the model read; pattern is borrowed */
    size_t resamples;
    mdf_evaluation e;
    mdf_heat_check heat;   /* empty where no case has a label */
    mdf_heat_compare maps; /* of --explain */
    bool explained;
} eval_result;

void eval_result_free(eval_result *r);

/* *out is the caller's. */
mdf_status eval_result_json(json_t **out, const eval_result *r, const mdf_metrics_naming *naming,
                            mdf_error *err) MDF_NODISCARD;

/* On stdout. */
mdf_status eval_result_print(const eval_result *r, const mdf_metrics_naming *naming,
                             mdf_error *err) MDF_NODISCARD;

#endif
