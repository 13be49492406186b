/* A fake hub as a program, for the cases in tests/cli: hub_server FILE [MILLISECONDS [TOKEN]]
 * writes its address to FILE and serves org/tiny until it is ended: config.json (no sum), and
 * sub/model.safetensors, 3,000,000 bytes of "y\n". The milliseconds pass between pieces of 64 KiB.
 */
#include "support/fake_hub.h"

enum { MODEL_BYTES = 3000000, LIFE_SECONDS = 240 };

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
    hub.token = argc > 3 ? argv[3] : NULL;
    hub_add(&hub, "config.json", config, sizeof config - 1, false);
    hub_add(&hub, "sub/model.safetensors", model, MODEL_BYTES, true);
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
