/* mdf quantize --cases: what quantising changes in the answers. */
#ifndef MDF_APPS_QUANTIZE_CASES_H
#define MDF_APPS_QUANTIZE_CASES_H

#include "app.h"
#include "convert/model_rewrite.h"
#include "engine/case_change.h"

/* The cases and what the model before made of them. */
typedef struct quantize_cases {
    mdf_manifest manifest;
    size_t limit;
    mdf_case_numbers before;
} quantize_cases;

/* split NULL: all. *out is empty on failure. */
mdf_status quantize_cases_before(quantize_cases *out, app *a, const char *dir, const char *split,
                                 size_t limit, const char *model, mdf_error *err) MDF_NODISCARD;
mdf_status quantize_cases_after(const quantize_cases *c, app *a, const char *model,
                                mdf_case_change *change, mdf_error *err) MDF_NODISCARD;
void quantize_cases_free(quantize_cases *c);

/* Tensors, sizes and the change, as lines or with --json. */
mdf_status quantize_cases_print(const app *a, const char *out, mdf_rewrite_result *result,
                                const mdf_case_change *change, mdf_error *err) MDF_NODISCARD;

#endif
