/* A fake hub as a program, for the cases in tests/cli:
 *
 *     hub_server FILE [MILLISECONDS [TOKEN [FOLDER]]]
 *
 * writes its address to FILE and serves the model org/tiny until it is ended: config.json (no sum),
 * and sub/model.safetensors, 3,000,000 bytes of "y\n". With a folder it serves that as the data set
 * org/tiny. The milliseconds pass between pieces of 64 KiB; the token "" asks for none. */
#include <sys/stat.h>

#include <fts.h>

#include "base/file.h"
#include "support/fake_hub.h"

enum { MODEL_BYTES = 3000000, LIFE_SECONDS = 240 };

/* All files of a folder and its folders; text without a sum, as what a hub keeps outside of Git
 * LFS. False: they can't be read, or are too many. */
static bool add_folder(fake_hub *hub, char *folder)
{
    const size_t root = strlen(folder) + 1;
    FTS *walk = fts_open((char *const[]){folder, NULL}, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    bool ok = walk != NULL;
    for (FTSENT *e = ok ? fts_read(walk) : NULL; ok && e != NULL; e = fts_read(walk)) {
        uint8_t *data = NULL;
        size_t len = 0;
        if (e->fts_info != FTS_F) {
            continue;
        }
        ok = hub->files < HUB_FILES &&
             mdf_file_read(e->fts_path, (size_t)e->fts_statp->st_size, &data, &len, NULL) == MDF_OK;
        if (ok) {
            const char *end = strrchr(e->fts_path, '.');
            const bool text = end != NULL && (strcmp(end, ".csv") == 0 || strcmp(end, ".md") == 0);
            hub_add(hub, strdup(e->fts_path + root), data, len, !text);
        }
    }
    return walk != NULL && fts_close(walk) == 0 && ok;
}

int main(int argc, char **argv)
{
    static fake_hub hub;
    static uint8_t model[MODEL_BYTES];
    static const char config[] = "{}\n";
    char temp[4096];
    if (argc < 2 || strlen(argv[1]) + 8 > sizeof temp) {
        return 2;
    }
    (void)alarm(LIFE_SECONDS); /* nobody may end it */
    for (size_t i = 0; i < MODEL_BYTES; i++) {
        model[i] = i % 2 == 0 ? 'y' : '\n';
    }
    hub.pause_ms = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
    hub.token = argc > 3 && argv[3][0] != '\0' ? argv[3] : NULL;
    hub.dataset = argc > 4;
    if (!hub.dataset) {
        hub_add(&hub, "config.json", config, sizeof config - 1, false);
        hub_add(&hub, "sub/model.safetensors", model, MODEL_BYTES, true);
    } else if (!add_folder(&hub, argv[4])) {
        return 1;
    }
    hub_start(&hub);
    (void)snprintf(temp, sizeof temp, "%s.new", argv[1]);
    FILE *out = fopen(temp, "w");
    if (out == NULL || fprintf(out, "%s\n", hub.server.url) < 0 || fclose(out) != 0 ||
        rename(temp, argv[1]) != 0) {
        return 1;
    }
    (void)pthread_join(hub.server.thread, NULL);
    return 0;
}
