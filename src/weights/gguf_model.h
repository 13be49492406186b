/* Llama models in GGUF files, as this project knows them: settings, names, order of rows.
 *
 * Read are text models of the Llama architecture (llama.cpp's "llama") and Llama 3.2 Vision in the
 * layout of ollama ("mllama"). Nothing is copied: a weight points into the files. What differs from
 * Hugging Face's order or meaning, and how it is undone:
 *
 *     rows of q and k      pairs (x_i, x_{i + half}) of a head stand side by side, for rotary
 *                          positions; weight.heads says so, mdf_gguf_weight_copy() puts them back.
 *                          A row of a quantised matrix is a whole number of blocks, so only bytes
 *                          move. In "mllama" also in cross-attention and in the vision tower.
 *     gates of the tower   hold tanh(gate), the position's 1 - tanh(gate): new numbers, in float
 *     rope_freqs.weight    divisors of the frequencies: text.rope_scaling has what makes them */
#ifndef MDF_WEIGHTS_GGUF_MODEL_H
#define MDF_WEIGHTS_GGUF_MODEL_H

#include "config/config.h"
#include "io/gguf.h"

typedef struct mdf_gguf_weight {
    mdf_gguf_tensor
        tensor;         /* our name; type, shape and bytes of the file, or a gate's new number */
    const char *source; /* name in the file */
    int heads;          /* > 0: rows must be put back, head by head */
} mdf_gguf_weight;

typedef struct mdf_gguf_model {
    mdf_text_config text;
    mdf_vision_config vision; /* hidden_size 0: a text model */
    mdf_gguf_weight *weight;  /* [count], sorted by name */
    size_t count;
    mdf_arena arena;
} mdf_gguf_model;

/* The files must stay open while the weights are used. Whether the weights are all there and have
 * the shapes of the settings is for the loader to find out. Errors name file and key or tensor. */
mdf_status mdf_gguf_model_read(mdf_gguf_model *m, const mdf_gguf_files *f,
                               mdf_error *err) MDF_NODISCARD;
void mdf_gguf_model_free(mdf_gguf_model *m);

const mdf_gguf_weight *mdf_gguf_model_find(const mdf_gguf_model *m, const char *name);

/* Where row `row` of our order stands in the file; a row is all but the first dimension. */
const uint8_t *mdf_gguf_weight_row(const mdf_gguf_weight *w, int64_t row);

/* Bytes of rows first .. first + rows - 1 in our order. */
void mdf_gguf_weight_copy(const mdf_gguf_weight *w, int64_t first, int64_t rows, void *out);

#endif
