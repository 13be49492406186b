/* Llama 3's rule for rotary frequencies, found again from the divisors that a GGUF file has: 1 for
 * short waves, `factor` for long ones, and between them 1 / ((1 - s) / factor + s) with
 * s = (original / wave - low) / (high - low). The numbers low, high and original are not in the
 * file; original cancels out, so 8192 stands for it. */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "weights/gguf_config.h"

static double wave_of(const mdf_text_config *c, int i, int half)
{
    return 6.283185307179586 * pow(c->rope_theta, (double)i / half);
}

static double divisor(const mdf_rope_scaling *r, double wave)
{
    const double original = (double)r->original_max_position_embeddings;
    if (wave > original / r->low_freq_factor) {
        return r->factor;
    }
    if (wave < original / r->high_freq_factor) {
        return 1;
    }
    const double s =
        (original / wave - r->low_freq_factor) / (r->high_freq_factor - r->low_freq_factor);
    return 1 / ((1 - s) / r->factor + s);
}

static bool explains(const mdf_rope_scaling *r, const mdf_text_config *c, const float *d, int half)
{
    for (int i = 0; i < half; i++) {
        const double want = divisor(r, wave_of(c, i, half));
        if (!(fabs((double)d[i] - want) <= 1e-4 * want)) {
            return false;
        }
    }
    return true;
}

/* s is a straight line over 1 / wave: two divisors between 1 and factor tell low and high. */
static bool solve(mdf_rope_scaling *r, const mdf_text_config *c, const float *d, int half)
{
    double x[2] = {0};
    double s[2] = {0};
    int n = 0;
    for (int i = 0; i < half; i++) {
        const double f = (double)d[i];
        if (f > 1.0001 && f < r->factor * 0.9999) {
            const int at = n == 0 ? 0 : 1; /* the first and the last one */
            x[at] = 1 / wave_of(c, i, half);
            s[at] = (1 / f - 1 / r->factor) / (1 - 1 / r->factor);
            n++;
        }
    }
    if (n < 2) {
        return false;
    }
    const double slope = (s[1] - s[0]) / (x[1] - x[0]); /* original / (high - low) */
    const double zero = x[0] - s[0] / slope;            /* low / original */
    const double original = (double)r->original_max_position_embeddings;
    r->low_freq_factor = zero * original;
    r->high_freq_factor = r->low_freq_factor + original / slope;
    return r->low_freq_factor > 0 && r->high_freq_factor > r->low_freq_factor;
}

static mdf_status find(mdf_rope_scaling *r, const mdf_text_config *c, const float *d, int half,
                       const char *path, mdf_error *err)
{
    double largest = 0;
    for (int i = 0; i < half; i++) {
        largest = fmax(largest, (double)d[i]);
    }
    r->enabled = largest != 1;
    r->factor = rint(largest * 1000) / 1000; /* released ones are 8 and 32 */
    if (!r->enabled || explains(r, c, d, half) ||
        (solve(r, c, d, half) && explains(r, c, d, half))) {
        return MDF_OK;
    }
    return mdf_fail(err, MDF_ERR_FORMAT,
                    "%s: tensor \"rope_freqs.weight\" does not follow Llama 3's rule", path);
}

mdf_status mdf_gguf_rope_scaling(mdf_text_config *c, const mdf_gguf_files *f, bool vision,
                                 mdf_error *err)
{
    const mdf_gguf *file = NULL;
    const int half = c->hidden_size / c->num_attention_heads / 2;
    const mdf_gguf_tensor *t = mdf_gguf_files_tensor(f, "rope_freqs.weight", &file);
    const mdf_gguf_value *v =
        mdf_gguf_files_value(f,
                             vision ? "mllama.rope.scaling.original_context_length"
                                    : "llama.rope.scaling.original_context_length",
                             NULL);
    int64_t original = 8192;
    if (v != NULL &&
        (v->is_array || !mdf_gguf_integer(v, 0, &original) || original < 1 || original > 1 << 24)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: \"%s\" is not a count of tokens", f->file[0].path,
                        v->key);
    }
    c->rope_scaling = (mdf_rope_scaling){.factor = 1,
                                         .low_freq_factor = 1,
                                         .high_freq_factor = 4,
                                         .original_max_position_embeddings = (int)original};
    if (t == NULL) {
        return MDF_OK;
    }
    if (t->rank != 1 || half < 1 || t->dim[0] != half) {
        return mdf_fail(err, MDF_ERR_SHAPE,
                        "%s: tensor \"rope_freqs.weight\" has not one number for each of a head's "
                        "%d frequencies",
                        file->path, half);
    }
    float *d = mdf_alloc((size_t)half, sizeof *d);
    if (d == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", file->path);
    }
    const mdf_status status =
        mdf_dtype_to_floats(t->dtype, t->data, t->count, d)
            ? find(&c->rope_scaling, c, d, half, file->path, err)
            : mdf_fail(err, MDF_ERR_FORMAT, "%s: tensor \"rope_freqs.weight\" holds no fractions",
                       file->path);
    mdf_free(d);
    return status;
}
