/* What the language model reads: a case's prompt as tokens, and the labels of a task as a prefix
 * tree behind the prompt (docs/MODEL.md section 5). Which form a prompt has depends on the special
 * tokens that the tokenizer knows: Llama 3's headers, or ChatML's as SmolLM2 has them. */
#ifndef MDF_LANGUAGE_PROMPT_H
#define MDF_LANGUAGE_PROMPT_H

#include "language/tokenizer.h"

/* Names the special token that a prompt needs and the tokenizer does not have. */
mdf_status mdf_prompt_check(const mdf_tokenizer *t, mdf_error *err) MDF_NODISCARD;

/* The token that ends a turn, -1 = there is none. */
int32_t mdf_prompt_end(const mdf_tokenizer *t);

/* Tokens that mdf_prompt_build() may need at most for this text with one picture. */
size_t mdf_prompt_capacity(const mdf_tokenizer *t, const char *text, const char *missing_text);

/* Writes the prompt of one case to token[0..capacity-1], its length to *count and the index of the
 * image token to *image_at (-1 without a picture); those of further pictures follow it directly. A
 * NULL or empty text is missing_text, NULL being "". Names of special tokens inside the text stay
 * text. MDF_ERR_LIMIT when the text is longer than MDF_MAX_TEXT_BYTES or the prompt than capacity;
 * *count is 0 and *image_at -1 then. */
mdf_status mdf_prompt_build(const mdf_tokenizer *t, int32_t *token, size_t capacity, size_t *count,
                            int32_t *image_at, const char *text, const char *missing_text,
                            int images, mdf_error *err) MDF_NODISCARD;

/* The fields mean what those of mdf_tree_view (nn/batch.h) mean; a caller copies the pointers.
 * A node comes after its parent. The end of turn ends every label: predicted, never fed. */
typedef struct mdf_label_tree {
    const mdf_tokenizer *tokenizer; /* of the prompts too */
    int64_t nodes;                  /* fed tokens */
    int32_t *token;                 /* [nodes] */
    int32_t *depth;                 /* [nodes], 0 = directly behind the prompt */
    uint8_t *mask;                  /* [nodes,nodes] row sees column: ancestor or self */
    int64_t labels;                 /* K */
    int32_t *offset;                /* [K+1] into source and target */
    int32_t *source; /* node whose logits predict the token; -1 = the prompt's last token */
    int32_t *target; /* token */
} mdf_label_tree;

/* A label's tokens are those that stand behind the prompt's when both are encoded as one text; if
 * the label changes how the prompt's last blanks are encoded, those of the label alone.
 *
 * Copies what it needs of the labels; the tokenizer must outlive the tree; caller frees *out with
 * mdf_label_tree_free(). MDF_ERR_ARG for no labels, an empty label or two with equal tokens;
 * MDF_ERR_LIMIT for more than MDF_MAX_CLASSES labels, a label of more than MDF_MAX_LABEL_BYTES or a
 * tree of more than MDF_MAX_TREE nodes; MDF_ERR_NOMEM. On failure *out is NULL. */
mdf_status mdf_label_tree_new(mdf_label_tree **out, const mdf_tokenizer *t,
                              const char *const *labels, int count, mdf_error *err) MDF_NODISCARD;
void mdf_label_tree_free(mdf_label_tree *t); /* NULL is allowed */

#endif
