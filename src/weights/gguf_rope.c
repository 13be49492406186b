/* Llama 3's rule for rotary frequencies, found again from the divisors that a GGUF file has: 1 for
 * short waves, `factor` for long ones, and between them 1 / ((1 - s) / factor + s) with
 * s = (original / wave - low) / (high - low).
 *
 * The numbers low, high and original are not in the file, and other ones give the same divisors:
 * only low / original and high / original count. Published models have low 1 and high 4; so has the
 * answer if that explains the divisors, and original is found. Otherwise 8192 stands for original.
 */
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

/* What the divisors say, as frequencies (1 / wave), which fall with i. */
typedef struct clues {
    int between;         /* divisors between 1 and factor */
    double x[2], s[2];   /* frequency and s of the first and of the last of them */
    double above, below; /* the last frequency whose divisor is 1, the first whose is factor */
} clues;

static clues look(const mdf_rope_scaling *r, const mdf_text_config *c, const float *d, int half)
{
    clues k = {.above = 2 / wave_of(c, 0, half)}; /* more than any */
    for (int i = 0; i < half; i++) {
        const double f = (double)d[i];
        const double x = 1 / wave_of(c, i, half);
        if (f <= 1.0001) {
            k.above = x;
        } else if (f >= r->factor * 0.9999) {
            k.below = fmax(k.below, x);
        } else {
            const int at = k.between == 0 ? 0 : 1;
            k.x[at] = x;
            k.s[at] = (1 / f - 1 / r->factor) / (1 - 1 / r->factor);
            k.between++;
        }
    }
    return k;
}

/* low: the largest frequency that is divided by the whole factor; high: the least that is kept. */
static bool try_bounds(mdf_rope_scaling *r, double low, double high, const mdf_text_config *c,
                       const float *d, int half)
{
    const double original = (double)r->original_max_position_embeddings;
    r->low_freq_factor = low * original;
    r->high_freq_factor = high * original;
    return low > 0 && high > low && explains(r, c, d, half);
}

/* Low 1 and high 4, with the original length that one divisor between 1 and factor tells. */
static bool try_published(mdf_rope_scaling *r, const clues *k, const mdf_text_config *c,
                          const float *d, int half)
{
    const double original = k->between > 0 ? rint((1 + 3 * k->s[0]) / k->x[0]) : 0;
    mdf_rope_scaling p = *r;
    if (!(original >= 1 && original <= 1 << 24)) {
        return false;
    }
    p.original_max_position_embeddings = (int)original;
    if (!try_bounds(&p, 1 / original, 4 / original, c, d, half)) {
        return false;
    }
    *r = p;
    return true;
}

/* s is a straight line over the frequency, 0 at low and 1 at high: two divisors tell both. One
 * leaves a choice: the line goes through it, and low and high stay on their sides of the
 * neighbours. None: the bounds lie somewhere between the neighbours. */
static bool solve(mdf_rope_scaling *r, const clues *k, const mdf_text_config *c, const float *d,
                  int half)
{
    if (k->between == 0) {
        const double gap = (k->above - k->below) / 3;
        return try_bounds(r, k->below + gap, k->above - gap, c, d, half);
    }
    double low = 0;
    if (k->between == 1) {
        const double least =
            (k->x[0] - k->s[0] * k->above) / (1 - k->s[0]); /* high is above there */
        low = (k->x[0] + fmax(least, k->below)) / 2;
    } else {
        low = k->x[0] - k->s[0] * (k->x[1] - k->x[0]) / (k->s[1] - k->s[0]);
    }
    return try_bounds(r, low, low + (k->x[0] - low) / k->s[0], c, d, half);
}

/* known: the file says the original length. */
static mdf_status find(mdf_rope_scaling *r, bool known, const mdf_text_config *c, const float *d,
                       int half, const char *path, mdf_error *err)
{
    double largest = 0;
    for (int i = 0; i < half; i++) {
        largest = fmax(largest, (double)d[i]);
    }
    const double rounded = rint(largest * 1000) / 1000; /* released ones are 8 and 32 */
    r->enabled = largest != 1;
    r->factor = fabs(rounded - largest) <= 1e-6 * largest ? rounded : largest;
    if (!r->enabled || explains(r, c, d, half)) {
        return MDF_OK;
    }
    const clues k = look(r, c, d, half);
    if ((!known && try_published(r, &k, c, d, half)) || solve(r, &k, c, d, half)) {
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
            ? find(&c->rope_scaling, v != NULL, c, d, half, file->path, err)
            : mdf_fail(err, MDF_ERR_FORMAT, "%s: tensor \"rope_freqs.weight\" holds no fractions",
                       file->path);
    mdf_free(d);
    return status;
}
