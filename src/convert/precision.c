/* Number formats of a model's parts. */
#include "convert/precision.h"

#include <string.h>

bool mdf_precision_parse(const char *word, mdf_dtype *type, bool *keep)
{
    static const struct {
        const char *word;
        mdf_dtype type;
    } known[] = {{"f32", MDF_DTYPE_F32},   {"f16", MDF_DTYPE_F16},   {"bf16", MDF_DTYPE_BF16},
                 {"q8_0", MDF_DTYPE_Q8_0}, {"q4_0", MDF_DTYPE_Q4_0}, {"q4_1", MDF_DTYPE_Q4_1},
                 {"q5_0", MDF_DTYPE_Q5_0}, {"q5_1", MDF_DTYPE_Q5_1}, {"q4_k", MDF_DTYPE_Q4_K},
                 {"q5_k", MDF_DTYPE_Q5_K}, {"q6_k", MDF_DTYPE_Q6_K}};
    *keep = strcmp(word, "keep") == 0;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(word, known[i].word) == 0) {
            *type = known[i].type;
            return true;
        }
    }
    return *keep;
}

mdf_precision mdf_precision_for(mdf_dtype text)
{
    mdf_precision p = {{MDF_DTYPE_F64}, {false}};
    const mdf_dtype finer = mdf_dtype_is_block(text) ? MDF_DTYPE_Q8_0 : text;
    for (int i = 0; i < MDF_PARTS; i++) {
        p.type[i] = finer;
    }
    p.type[MDF_PART_TEXT_SELF] = text;
    p.type[MDF_PART_TEXT_CROSS] = text;
    p.keep[MDF_PART_OTHER] = true;
    return p;
}

mdf_dtype mdf_precision_of(const mdf_precision *p, mdf_part part, int rank, const int64_t *dim,
                           mdf_dtype now)
{
    const mdf_dtype wanted = p->type[part];
    if (p->keep[part] || rank < 2) {
        return now;
    }
    if (!mdf_dtype_is_block(wanted)) {
        return wanted;
    }
    if (rank == 2 && dim[1] % (int64_t)mdf_dtype_block(wanted) == 0) {
        return wanted;
    }
    if (rank == 2 && dim[1] % (int64_t)mdf_dtype_block(MDF_DTYPE_Q8_0) == 0) {
        return MDF_DTYPE_Q8_0; /* rows of 32, not of 256 */
    }
    return now == MDF_DTYPE_F32 || now == MDF_DTYPE_F64 ? MDF_DTYPE_BF16 : now;
}
