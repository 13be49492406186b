/* Does llama.cpp get the numbers that mdf gets? Reads the tokens of `mdf bench --model` and
 * compares the logits behind them:
 *
 *     llama_logits FILE.gguf TOKENS THREADS LOGITS      LOGITS: written by mdf bench --logits
 *
 * Prints the root of the mean squared difference as a share of the logits' own deviation, and the
 * likeliest token of both. Built and run by race_llama.sh. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "llama.h"

static void quiet(enum ggml_log_level level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
}

static int fail(const char *what)
{
    (void)fprintf(stderr, "llama_logits: %s\n", what);
    return 1;
}

static int largest(const float *x, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++) {
        best = x[i] > x[best] ? i : best;
    }
    return best;
}

static int compare(const float *theirs, const float *ours, int n)
{
    double mean = 0;
    double difference = 0;
    double deviation = 0;
    for (int i = 0; i < n; i++) {
        mean += (double)theirs[i] / n;
    }
    for (int i = 0; i < n; i++) {
        difference += pow((double)theirs[i] - (double)ours[i], 2) / n;
        deviation += pow((double)theirs[i] - mean, 2) / n;
    }
    const double share = sqrt(difference / deviation);
    (void)printf("logits differ by %.2f %% of their deviation; the likeliest token is %d and %d\n",
                 100 * share, largest(theirs, n), largest(ours, n));
    return share < 0.2 ? 0 : fail("these are not the same model's logits");
}

static float *read_logits(const char *path, int n)
{
    float *x = malloc((size_t)n * sizeof *x);
    FILE *f = fopen(path, "rb");
    const size_t got = f == NULL || x == NULL ? 0 : fread(x, sizeof *x, (size_t)n, f);
    if (f != NULL) {
        (void)fclose(f);
    }
    if (got != (size_t)n) {
        free(x);
        return NULL;
    }
    return x;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        return fail("wants FILE.gguf TOKENS THREADS LOGITS");
    }
    const int tokens = atoi(argv[2]);
    const int threads = atoi(argv[3]);
    llama_log_set(quiet, NULL);
    struct llama_model *model = llama_model_load_from_file(argv[1], llama_model_default_params());
    if (model == NULL || tokens < 1) {
        return fail("can't load the model");
    }
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = (uint32_t)tokens;
    struct llama_context *context = llama_init_from_model(model, params);
    const int vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(model));
    float *ours = read_logits(argv[4], vocabulary);
    llama_token *token = malloc((size_t)tokens * sizeof *token);
    if (context == NULL || ours == NULL || token == NULL) {
        return fail("no memory, or LOGITS is not of this vocabulary");
    }
    for (int i = 0; i < tokens; i++) {
        token[i] = (llama_token)((31LL * i + 3) % vocabulary);
    }
    llama_set_n_threads(context, threads, threads);
    if (llama_decode(context, llama_batch_get_one(token, tokens)) != 0) {
        return fail("can't read the tokens");
    }
    const int status = compare(llama_get_logits_ith(context, -1), ours, vocabulary);
    llama_free(context);
    llama_model_free(model);
    free(token);
    free(ours);
    return status;
}
