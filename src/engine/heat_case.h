/* One case of a comparison of heat-maps. */
#ifndef MDF_ENGINE_HEAT_CASE_H
#define MDF_ENGINE_HEAT_CASE_H

#include "engine/heat_compare.h"
#include "engine/session.h"

enum { MDF_HEAT_MODELS = 3 };

/* What all cases share. */
typedef struct mdf_heat_bench {
    mdf_heat_compare *out;
    const mdf_heat_compare_options *opt;
    mdf_session *session[MDF_HEAT_MODELS]; /* the model, with its head shuffled, with its encoder;
                                              the last two may be NULL */
    bool masks_wanted;                     /* a case whose mask is empty does not count */
    size_t room;                           /* cases that out's arrays hold */
} mdf_heat_bench;

/* Measures c as case number out->n. *counted false: it was passed over, since its mask is empty
 * (out->empty says so) or since the answer is not truth. */
mdf_status mdf_heat_case_run(const mdf_heat_bench *b, const mdf_manifest_case *c, const char *truth,
                             bool *counted, mdf_error *err) MDF_NODISCARD;

#endif
