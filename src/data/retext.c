/* Texts left out, cut and exchanged. */
#include "data/retext.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/pcre.h"
#include "base/rng.h"
#include "data/sentence.h"

/* Steps of one match: a sentence has at most 8,192 bytes. */
enum { MATCH_LIMIT = 1000000, HEAP_LIMIT_KIB = 16384 };

const char *mdf_retext_name(mdf_text_as as)
{
    static const char *const name[] = {[MDF_TEXT_GIVEN] = "given",
                                       [MDF_TEXT_NONE] = "none",
                                       [MDF_TEXT_DROP] = "drop",
                                       [MDF_TEXT_SHUFFLED] = "shuffled"};
    return name[as];
}

mdf_status mdf_retext_parse(mdf_retext *out, const char *word, mdf_error *err)
{
    static const char drop[] = "drop:";
    const size_t n = sizeof drop - 1;
    *out = (mdf_retext){.as = MDF_TEXT_GIVEN};
    if (strncmp(word, drop, n) == 0) {
        out->as = MDF_TEXT_DROP;
        out->pattern = word + n;
        return word[n] != '\0' ? MDF_OK
                               : mdf_fail(err, MDF_ERR_ARG, "\"drop:\" has no pattern behind it");
    }
    for (int as = MDF_TEXT_GIVEN; as <= MDF_TEXT_SHUFFLED; as++) {
        if (as != MDF_TEXT_DROP && strcmp(word, mdf_retext_name((mdf_text_as)as)) == 0) {
            out->as = (mdf_text_as)as;
            return MDF_OK;
        }
    }
    return mdf_fail(err, MDF_ERR_ARG,
                    "\"%.60s\" is not one of given, none, drop:PATTERN and shuffled", word);
}

/* ---- a pattern --------------------------------------------------------------------------------
 */

typedef struct matcher {
    const char *pattern;
    pcre2_general_context *memory;
    pcre2_match_context *limits;
    pcre2_match_data *data;
    pcre2_code *code;
    mdf_retexted *count;
    int error; /* of PCRE2, once a match failed */
} matcher;

static void matcher_free(matcher *k)
{
    pcre2_code_free(k->code);
    pcre2_match_data_free(k->data);
    pcre2_match_context_free(k->limits);
    pcre2_general_context_free(k->memory);
}

static mdf_status compile(matcher *k, pcre2_compile_context *context, mdf_error *err)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    k->code = pcre2_compile((PCRE2_SPTR)k->pattern, strlen(k->pattern),
                            PCRE2_CASELESS | PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &code,
                            &at, context);
    if (k->code != NULL) {
        return MDF_OK;
    }
    if (mdf_pcre_no_memory(code)) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the pattern");
    }
    PCRE2_UCHAR why[128];
    (void)pcre2_get_error_message(code, why, sizeof why);
    return mdf_fail(err, MDF_ERR_ARG, "\"%.100s\" is not a regular expression: %s, at byte %zu",
                    k->pattern, (const char *)why, (size_t)at);
}

static mdf_status matcher_new(matcher *k, const char *pattern, mdf_retexted *count, mdf_error *err)
{
    *k = (matcher){.pattern = pattern, .count = count};
    if (strlen(pattern) > MDF_MAX_PATTERN_BYTES) {
        return mdf_fail(err, MDF_ERR_LIMIT, "the pattern has more than %d bytes",
                        MDF_MAX_PATTERN_BYTES);
    }
    k->memory = mdf_pcre_memory();
    k->limits = k->memory == NULL ? NULL : pcre2_match_context_create(k->memory);
    k->data = k->memory == NULL ? NULL : pcre2_match_data_create(1, k->memory);
    pcre2_compile_context *context =
        k->memory == NULL ? NULL : pcre2_compile_context_create(k->memory);
    mdf_status status = MDF_OK;
    if (k->limits == NULL || k->data == NULL || context == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the pattern");
    } else {
        (void)pcre2_set_match_limit(k->limits, MATCH_LIMIT);
        (void)pcre2_set_heap_limit(k->limits, HEAP_LIMIT_KIB);
        status = compile(k, context, err);
    }
    pcre2_compile_context_free(context);
    return status;
}

static bool matches(void *user, const char *sentence, size_t len)
{
    matcher *k = user;
    if (k->error != 0) {
        return false;
    }
    const int rc =
        pcre2_match(k->code, (PCRE2_SPTR)sentence, len, 0, PCRE2_NO_UTF_CHECK, k->data, k->limits);
    k->error = rc < 0 && rc != PCRE2_ERROR_NOMATCH ? rc : 0;
    k->count->sentences++;
    k->count->sentences_dropped += rc >= 0 ? 1 : 0;
    return rc >= 0;
}

/* text[i]: the new one of case i. */
static mdf_status drop_sentences(const char **text, mdf_manifest *m, const char *pattern,
                                 mdf_retexted *count, mdf_error *err)
{
    matcher k;
    mdf_status status = matcher_new(&k, pattern, count, err);
    for (size_t i = 0; status == MDF_OK && i < m->case_count; i++) {
        const size_t len = strlen(m->cases[i].text);
        char *left = mdf_arena_strndup(&m->arena, m->cases[i].text, len);
        if (left == NULL) {
            status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the texts");
        } else {
            left[mdf_sentence_drop(left, left, len, matches, &k)] = '\0';
            text[i] = left;
        }
        if (status == MDF_OK && k.error != 0) {
            status = k.error == PCRE2_ERROR_NOMEMORY
                         ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory for matching the pattern")
                         : mdf_fail(err, MDF_ERR_LIMIT,
                                    "\"%.100s\" takes too many steps on the text of %s", pattern,
                                    m->cases[i].file_name);
        }
    }
    matcher_free(&k);
    if (status == MDF_OK && count->sentences_dropped == 0) {
        status = mdf_fail(err, MDF_ERR_ARG,
                          "\"%.100s\" matches none of the %zu sentences of these texts", pattern,
                          count->sentences);
    }
    return status;
}

/* ---- exchange ---------------------------------------------------------------------------------
 */

/* place[p]: where the cases of patient p begin when patients stand in random order. Returns the
 * most cases of one. */
static size_t place_patients(size_t *place, size_t *order, const mdf_manifest *m, uint64_t seed)
{
    const size_t patients = (size_t)m->patient_count;
    mdf_rng rng = mdf_rng_new(seed, 0x74657874);
    size_t most = 0;
    size_t at = 0;
    for (size_t i = 0; i < m->case_count; i++) {
        place[m->cases[i].patient]++;
    }
    for (size_t p = 0; p < patients; p++) {
        const size_t j = mdf_rng_below(&rng, (uint32_t)p + 1);
        order[p] = order[j];
        order[j] = p;
    }
    for (size_t p = 0; p < patients; p++) {
        const size_t n = place[order[p]];
        place[order[p]] = at;
        at += n;
        most = n > most ? n : most;
    }
    return most;
}

/* With the cases of a patient side by side, the text of the case that stands as many places behind
 * as the largest patient has cases is another patient's. */
static mdf_status exchange(const char **text, const mdf_manifest *m, uint64_t seed, mdf_error *err)
{
    const size_t n = m->case_count;
    size_t *place = mdf_alloc((size_t)m->patient_count, sizeof *place);
    size_t *order = mdf_alloc((size_t)m->patient_count, sizeof *order);
    size_t *at = mdf_alloc(n, sizeof *at); /* the case at a place */
    mdf_status status = MDF_OK;
    if (place == NULL || order == NULL || at == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the texts");
    } else {
        const size_t most = place_patients(place, order, m, seed);
        for (size_t i = 0; i < n; i++) {
            at[place[m->cases[i].patient]++] = i;
        }
        if (2 * most > n) {
            status = mdf_fail(err, MDF_ERR_ARG,
                              "one patient has %zu of the %zu cases, so their texts can't all be "
                              "another patient's",
                              most, n);
        }
        for (size_t i = 0; status == MDF_OK && i < n; i++) {
            text[at[i]] = m->cases[at[(i + most) % n]].text;
        }
    }
    mdf_free(place);
    mdf_free(order);
    mdf_free(at);
    return status;
}

mdf_status mdf_retext_apply(mdf_manifest *m, const mdf_retext *how, mdf_retexted *out,
                            mdf_error *err)
{
    *out = (mdf_retexted){.cases = m->case_count};
    if (how->as == MDF_TEXT_GIVEN) {
        return MDF_OK;
    }
    const char **text = mdf_alloc(m->case_count, sizeof(char *));
    mdf_status status = MDF_OK;
    if (text == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the texts");
    } else if (how->as == MDF_TEXT_DROP) {
        status = drop_sentences(text, m, how->pattern, out, err);
    } else if (how->as == MDF_TEXT_SHUFFLED) {
        status = exchange(text, m, how->seed, err);
    }
    for (size_t i = 0; status == MDF_OK && i < m->case_count; i++) {
        const char *fresh = how->as == MDF_TEXT_NONE ? "" : text[i];
        out->changed += strcmp(fresh, m->cases[i].text) != 0 ? 1 : 0;
        text[i] = fresh;
    }
    for (size_t i = 0; status == MDF_OK && i < m->case_count; i++) {
        m->cases[i].text = text[i];
    }
    mdf_free((void *)text);
    return status;
}
