/* mdf_logits FOLDER CASE.safetensors OUT.safetensors: tools/check_hf_export.py's other end. Runs
 * one prompt and its pictures through vision tower and text model of a folder (a U-Net sees
 * nothing) and writes the logits of every token.
 *
 * CASE: text I32 [n]; with pictures ratio I32 [pictures] and tiles F32 [used tiles,t,t,3],
 * normalised. OUT: logits F32 [n,V]. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "convert/model_folder.h"
#include "nn/mdf_mllm.h"
#include "nn/text.h"
#include "weights/weights.h"

enum { PICTURES = 16 };

typedef struct inputs {
    mdf_safetensors file;
    mdf_batch batch;
    int32_t text_len, count;
    int32_t image_at[PICTURES];
    int32_t *text, *ratio;
    float *tiles;
} inputs;

/* A copy of a tensor's bytes, which in the file have no alignment; NULL: no such tensor. */
static void *copy_of(const mdf_safetensors *file, const char *name, mdf_dtype type, size_t *count)
{
    const mdf_st_tensor *t = mdf_safetensors_find(file, name);
    void *p = t != NULL && t->dtype == type ? mdf_alloc_raw(t->bytes) : NULL;
    *count = 0;
    if (p != NULL) {
        memcpy(p, t->data, t->bytes);
        *count = t->count;
    }
    return p;
}

static mdf_status read_case(inputs *in, const char *path, int image_token, mdf_error *err)
{
    size_t tokens = 0;
    size_t pictures = 0;
    size_t numbers = 0;
    MDF_TRY(mdf_safetensors_open(&in->file, path, err));
    in->text = copy_of(&in->file, "text", MDF_DTYPE_I32, &tokens);
    in->ratio = copy_of(&in->file, "ratio", MDF_DTYPE_I32, &pictures);
    in->tiles = copy_of(&in->file, "tiles", MDF_DTYPE_F32, &numbers);
    mdf_safetensors_close(&in->file);
    for (size_t i = 0; i < tokens; i++) {
        if (in->text[i] == image_token && in->count < PICTURES) {
            in->image_at[in->count++] = (int32_t)i;
        }
    }
    if (tokens == 0 || (size_t)in->count != pictures || (pictures > 0 && numbers == 0)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: text, ratio and tiles don't agree", path);
    }
    in->text_len = (int32_t)tokens;
    in->batch = (mdf_batch){.cases = 1,
                            .vision_image = in->tiles,
                            .image_count = &in->count,
                            .aspect_ratio_id = in->ratio,
                            .image_at = in->image_at,
                            .prompt = in->text,
                            .prompt_len = &in->text_len};
    return MDF_OK;
}

static mdf_status open_model(mdf_mllm **m, const char *dir, mdf_error *err)
{
    static mdf_config c;
    mdf_weights w;
    MDF_TRY(mdf_model_config_read(&c, dir, err));
    c.train.aux_weight = 0;
    MDF_TRY(mdf_mllm_new(m, &c, false, err));
    MDF_TRY(mdf_weights_open(&w, dir, err));
    const mdf_status status = mdf_weights_set(&(*m)->params, &w, err);
    mdf_weights_close(&w);
    return status;
}

static mdf_status write_logits(const mdf_mllm *m, const inputs *in, const char *path,
                               mdf_error *err)
{
    mdf_kernels *k = NULL;
    mdf_graph g;
    MDF_TRY(mdf_kernels_new(&k, NULL, err));
    mdf_status status = mdf_graph_init(&g, k, false, 0, err);
    if (status == MDF_OK) {
        const mdf_output o = mdf_mllm_forward(&g, m, &in->batch, false);
        const mdf_tensor *logits =
            o.states == NULL ? NULL : mdf_text_logits(&g, &m->text, o.states);
        status = mdf_graph_status(&g, err);
        if (status == MDF_OK) {
            mdf_st_entry e = {.name = "logits", .dtype = MDF_DTYPE_F32, .rank = 2};
            memcpy(e.dim, logits->dim, sizeof e.dim);
            e.data = logits->data;
            status = mdf_safetensors_save(path, &e, 1, NULL, 0, err);
        }
        mdf_graph_free(&g);
    }
    mdf_kernels_free(k);
    return status;
}

int main(int argc, char **argv)
{
    mdf_error err = {0};
    mdf_mllm *m = NULL;
    inputs in = {0};
    if (argc != 4) {
        (void)fprintf(stderr, "usage: mdf_logits FOLDER CASE.safetensors OUT.safetensors\n");
        return 2;
    }
    mdf_status status = open_model(&m, argv[1], &err);
    if (status == MDF_OK) {
        status = read_case(&in, argv[2], m->config.image_token_index, &err);
    }
    if (status == MDF_OK) {
        status = write_logits(m, &in, argv[3], &err);
    }
    if (status != MDF_OK) {
        (void)fprintf(stderr, "mdf_logits: %s\n", err.text);
    }
    mdf_free(in.text);
    mdf_free(in.ratio);
    mdf_free(in.tiles);
    mdf_mllm_free(m);
    return status == MDF_OK ? 0 : 1;
}
