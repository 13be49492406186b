/* The small files beside a model's weights: preprocessor_config.json and generation_config.json. */
#include "config/model_files.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"

enum { USUAL_TOP_K = 50 }; /* of transformers' GenerationConfig when a folder gives none */

static mdf_status parse(json_t **root, const char *bytes, size_t len, const char *name,
                        mdf_error *err)
{
    json_error_t where = {0};
    *root = mdf_json_load(bytes, len, JSON_REJECT_DUPLICATES, &where);
    if (*root == NULL) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: not valid JSON: line %d, column %d: %s", name,
                        where.line, where.column, where.text);
    }
    if (!json_is_object(*root)) {
        json_decref(*root);
        *root = NULL;
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: not an object {...}", name);
    }
    return MDF_OK;
}

/* NULL: not there, or Python's None. */
static const json_t *member(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_null(v) ? NULL : v;
}

/* A number between low and high, if the key is there. */
static mdf_status number(const json_t *o, const char *key, double low, double high, double *out,
                         const char *name, mdf_error *err)
{
    const json_t *v = member(o, key);
    if (v == NULL) {
        return MDF_OK;
    }
    const double x = json_number_value(v);
    if (!json_is_number(v) || !(x >= low && x <= high)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: %s must be a number between %g and %g", name, key,
                        low, high);
    }
    *out = x;
    return MDF_OK;
}

static mdf_status three(const json_t *o, const char *key, double low, float out[3],
                        const char *name, mdf_error *err)
{
    const json_t *v = member(o, key);
    for (size_t i = 0; v != NULL && i < 3; i++) {
        const json_t *item = json_array_get(v, i);
        const double x = json_number_value(item);
        if (json_array_size(v) != 3 || !json_is_number(item) || !(x >= low && x <= 10)) {
            return mdf_fail(err, MDF_ERR_FORMAT, "%s: %s must be three numbers between %g and 10",
                            name, key, low);
        }
        out[i] = (float)x;
    }
    return MDF_OK;
}

/* A whole number that must be the one that the model was built for, if the key is there. */
static mdf_status must_be(const json_t *o, const char *key, int wanted, const char *name,
                          mdf_error *err)
{
    const json_t *v = member(o, key);
    if (v != NULL && (!json_is_integer(v) || json_integer_value(v) != wanted)) {
        return mdf_fail(err, MDF_ERR_ARG, "%s: %s must be %d", name, key, wanted);
    }
    return MDF_OK;
}

static mdf_status check_steps(const json_t *o, const char *name, mdf_error *err)
{
    static const char *const step[] = {"do_convert_rgb", "do_resize", "do_rescale", "do_normalize",
                                       "do_pad"};
    double factor = 1.0 / 255;
    for (size_t i = 0; i < sizeof step / sizeof step[0]; i++) {
        const json_t *v = member(o, step[i]);
        if (v != NULL && !json_is_true(v)) {
            return mdf_fail(err, MDF_ERR_ARG, "%s: %s must be true", name, step[i]);
        }
    }
    MDF_TRY(number(o, "rescale_factor", 0, 1, &factor, name, err));
    if (fabs(factor * 255 - 1) > 1e-6) {
        return mdf_fail(err, MDF_ERR_ARG, "%s: rescale_factor must be 1/255", name);
    }
    return must_be(o, "resample", 2, name, err); /* bilinear */
}

static mdf_status read_preprocessor(mdf_preprocessor *p, const json_t *root, const char *name,
                                    const mdf_config *c, mdf_error *err)
{
    const json_t *inner = member(root, "image_processor");
    const json_t *o = inner != NULL ? inner : root;
    const json_t *size = member(o, "size");
    if (!json_is_object(o)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: image_processor is not an object {...}", name);
    }
    MDF_TRY(three(o, "image_mean", -10, p->mean, name, err));
    MDF_TRY(three(o, "image_std", 1e-6, p->std, name, err));
    MDF_TRY(check_steps(o, name, err));
    MDF_TRY(must_be(o, "max_image_tiles", c->vision.max_num_tiles, name, err));
    if (size != NULL && !json_is_object(size)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: size must be {height, width}", name);
    }
    mdf_status status = must_be(size, "height", c->vision.image_size, name, err);
    if (status == MDF_OK) {
        status = must_be(size, "width", c->vision.image_size, name, err);
    }
    return status;
}

static const mdf_preprocessor usual = {.mean = {0.48145466F, 0.4578275F, 0.40821073F},
                                       .std = {0.26862954F, 0.26130258F, 0.27577711F}};

bool mdf_preprocessor_is_usual(const mdf_preprocessor *p)
{
    bool same = true;
    for (int i = 0; i < 3; i++) {
        same = same && fabsf(p->mean[i] - usual.mean[i]) <= 1e-6F &&
               fabsf(p->std[i] - usual.std[i]) <= 1e-6F;
    }
    return same;
}

mdf_status mdf_preprocessor_parse(mdf_preprocessor *p, const char *bytes, size_t len,
                                  const char *name, const mdf_config *c, mdf_error *err)
{
    mdf_preprocessor fresh = usual;
    json_t *root = NULL;
    mdf_status status = MDF_OK;
    if (bytes != NULL) {
        MDF_TRY(parse(&root, bytes, len, name, err));
        status = read_preprocessor(&fresh, root, name, c, err);
        json_decref(root);
    }
    if (status == MDF_OK) {
        *p = fresh;
    }
    return status;
}

static mdf_status token(const json_t *v, const mdf_config *c, int *out, const char *name,
                        mdf_error *err)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0 ||
        json_integer_value(v) >= c->text.vocab_size) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: eos_token_id must be tokens below %d", name,
                        c->text.vocab_size);
    }
    *out = (int)json_integer_value(v);
    return MDF_OK;
}

static mdf_status read_eos(mdf_generation *g, const json_t *root, const char *name,
                           const mdf_config *c, mdf_error *err)
{
    const json_t *v = member(root, "eos_token_id");
    if (v == NULL) {
        return MDF_OK;
    }
    if (json_is_integer(v)) {
        g->eos_count = 1;
        return token(v, c, &g->eos_token_id[0], name, err);
    }
    const size_t n = json_array_size(v);
    if (n == 0 || n > MDF_CONFIG_EOS) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: eos_token_id must be one to %d tokens", name,
                        MDF_CONFIG_EOS);
    }
    for (size_t i = 0; i < n; i++) {
        MDF_TRY(token(json_array_get(v, i), c, &g->eos_token_id[i], name, err));
    }
    g->eos_count = (int)n;
    return MDF_OK;
}

static mdf_status read_generation(mdf_generation *g, const json_t *root, const char *name,
                                  const mdf_config *c, mdf_error *err)
{
    const json_t *sample = member(root, "do_sample");
    double top_k = json_is_null(json_object_get(root, "top_k")) ? 0 : g->top_k;
    if (sample != NULL && !json_is_boolean(sample)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: do_sample must be true or false", name);
    }
    g->sample = json_is_true(sample);
    MDF_TRY(number(root, "temperature", 0, 100, &g->temperature, name, err));
    MDF_TRY(number(root, "top_p", 0, 1, &g->top_p, name, err));
    MDF_TRY(number(root, "top_k", 0, 1e6, &top_k, name, err));
    if (top_k != floor(top_k)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: top_k must be a whole number", name);
    }
    g->top_k = (int)top_k;
    return read_eos(g, root, name, c, err);
}

mdf_status mdf_generation_parse(mdf_generation *g, const char *bytes, size_t len, const char *name,
                                const mdf_config *c, mdf_error *err)
{
    mdf_generation fresh = {
        .temperature = 1, .top_p = 1, .top_k = USUAL_TOP_K, .eos_count = c->text.eos_count};
    memcpy(fresh.eos_token_id, c->text.eos_token_id, sizeof fresh.eos_token_id);
    json_t *root = NULL;
    mdf_status status = MDF_OK;
    if (bytes != NULL) {
        MDF_TRY(parse(&root, bytes, len, name, err));
        status = read_generation(&fresh, root, name, c, err);
        json_decref(root);
    }
    if (status == MDF_OK) {
        *g = fresh;
    }
    return status;
}

/* The bytes of dir/name, or NULL when there is no such file. */
static mdf_status read_file(const char *dir, const char *name, char **path, uint8_t **bytes,
                            size_t *len, mdf_error *err)
{
    *bytes = NULL;
    *len = 0;
    *path = mdf_path_join(dir, name);
    if (*path == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", dir);
    }
    return mdf_path_exists(*path) ? mdf_file_read(*path, MDF_MAX_CONFIG_BYTES, bytes, len, err)
                                  : MDF_OK;
}

mdf_status mdf_preprocessor_load(mdf_preprocessor *p, const char *dir, const mdf_config *c,
                                 mdf_error *err)
{
    static const char *const name[] = {"preprocessor_config.json", "processor_config.json"};
    char *path = NULL;
    uint8_t *bytes = NULL;
    size_t len = 0;
    mdf_status status = MDF_OK;
    for (size_t i = 0; status == MDF_OK && bytes == NULL && i < 2; i++) {
        mdf_free(path);
        status = read_file(dir, name[i], &path, &bytes, &len, err);
    }
    if (status == MDF_OK) {
        status = mdf_preprocessor_parse(p, (const char *)bytes, len, path, c, err);
    }
    mdf_free(bytes);
    mdf_free(path);
    return status;
}

mdf_status mdf_generation_load(mdf_generation *g, const char *dir, const mdf_config *c,
                               mdf_error *err)
{
    char *path = NULL;
    uint8_t *bytes = NULL;
    size_t len = 0;
    mdf_status status = read_file(dir, "generation_config.json", &path, &bytes, &len, err);
    if (status == MDF_OK) {
        status = mdf_generation_parse(g, (const char *)bytes, len, path, c, err);
    }
    mdf_free(bytes);
    mdf_free(path);
    return status;
}
