/* Any bytes as a clinical text, and their lines as labels: prompts have the length that was
 * promised, no text makes a special token, and a label tree spells exactly its labels. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "language/prompt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IMAGE = 264, FRAME_SPECIALS = 6, MOST_LABELS = MDF_MAX_CLASSES + 2 };

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_prompt(const mdf_tokenizer *bytes, const char *text, bool image)
{
    const size_t capacity = mdf_prompt_capacity(bytes, text, "none");
    int32_t *token = mdf_alloc(capacity, sizeof *token);
    size_t count = 0;
    int32_t image_at = 0;
    check(token != NULL);
    if (mdf_prompt_build(bytes, token, capacity, &count, &image_at, text, "none", image, NULL) !=
        MDF_OK) {
        check(strlen(text) > MDF_MAX_TEXT_BYTES && count == 0 && image_at == -1);
        mdf_free(token);
        return;
    }
    int special = 0;
    for (size_t i = 0; i < count; i++) {
        check(token[i] >= 0 && token[i] <= IMAGE);
        special += token[i] > 255 && token[i] != IMAGE ? 1 : 0;
        check((token[i] == IMAGE) == ((int32_t)i == image_at));
    }
    /* begin, two headers of two, one end of turn: whatever the text says */
    check(special == FRAME_SPECIALS && (image_at >= 0) == image);
    check(count == capacity - (image ? 0 : 1));
    mdf_free(token);
}

/* Walks from the end of a label to the prompt and compares with the label's bytes. */
static void check_label(const mdf_label_tree *t, int64_t k, const char *label)
{
    const int32_t begin = t->offset[k];
    const int32_t end = t->offset[k + 1];
    check((size_t)(end - begin) == strlen(label) + 1);
    check(t->source[begin] == -1 && t->target[end - 1] == MDF_TOKEN_END_OF_TURN);
    for (int32_t i = begin; i + 1 < end; i++) {
        const int32_t node = t->source[i + 1];
        check(t->target[i] == (unsigned char)label[i - begin]);
        check(node >= 0 && node < t->nodes && t->token[node] == t->target[i]);
        check(t->depth[node] == i - begin);
        int seen = 0;
        for (int64_t j = 0; j < t->nodes; j++) {
            seen += t->mask[node * t->nodes + j];
        }
        check(seen == i - begin + 1); /* its ancestors and itself */
    }
}

static void check_tree(const mdf_tokenizer *bytes, char *text)
{
    const char *label[MOST_LABELS];
    int n = 0;
    for (char *p = text; n < MOST_LABELS; n++) {
        label[n] = p;
        p += strcspn(p, "\n");
        if (*p == '\0') {
            n++;
            break;
        }
        *p++ = '\0';
    }
    mdf_label_tree *t = NULL;
    if (mdf_label_tree_new(&t, bytes, label, n, NULL) != MDF_OK) {
        check(t == NULL);
        return;
    }
    check(t->labels == n && n <= MDF_MAX_CLASSES);
    for (int k = 0; k < n; k++) {
        check_label(t, k, label[k]);
    }
    mdf_label_tree_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mdf_strndup((const char *)data, size);
    mdf_tokenizer *bytes = NULL;
    check(text != NULL && mdf_tokenizer_new_bytes(&bytes, IMAGE, NULL) == MDF_OK);
    check_prompt(bytes, text, true);
    check_prompt(bytes, text, false);
    check_tree(bytes, text);
    mdf_tokenizer_free(bytes);
    mdf_free(text);
    return 0;
}
