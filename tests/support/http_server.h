/* An HTTP server on loopback for tests: one request a connection, answers made by a callback, with
 * every misbehaviour that a test wants: cut bodies, lying lengths, silence. Header-only. */
#ifndef MDF_TESTS_HTTP_SERVER_H
#define MDF_TESTS_HTTP_SERVER_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct http_question {
    char target[4096]; /* "/a/b?c=d" */
    char head[16384];  /* the whole head, lines end in \r\n */
} http_question;

typedef struct http_answer {
    int code;
    char headers[4096]; /* "Name: value\r\n" */
    const uint8_t *body;
    size_t len;
    size_t sent;    /* bytes that are really sent before the connection ends; default len */
    bool no_length; /* no Content-Length: the end of the connection ends the body */
    bool silent;    /* after `sent` bytes nothing more comes, and the connection stays */
    int pause_ms;   /* between pieces of 64 KiB */
} http_answer;

typedef void http_handler(void *user, const http_question *q, http_answer *a);

typedef struct http_server {
    int fd;
    int port;
    char url[64]; /* "http://127.0.0.1:port" */
    pthread_t thread;
    pthread_mutex_t lock; /* held while the handler runs */
    atomic_bool stop;
    http_handler *handler;
    void *user;
} http_server;

/* The value of a header of the question, "" = none. */
static inline const char *http_header(const http_question *q, const char *name, char value[512])
{
    const size_t n = strlen(name);
    value[0] = '\0';
    for (const char *p = strstr(q->head, "\r\n"); p != NULL; p = strstr(p + 2, "\r\n")) {
        if (strncasecmp(p + 2, name, n) == 0 && p[2 + n] == ':') {
            p += 3 + n + strspn(p + 3 + n, " ");
            (void)snprintf(value, 512, "%.*s", (int)strcspn(p, "\r"), p);
            break;
        }
    }
    return value;
}

static inline bool http_read_head(int fd, http_question *q)
{
    size_t n = 0;
    q->head[0] = '\0';
    while (strstr(q->head, "\r\n\r\n") == NULL) {
        const ssize_t got = recv(fd, q->head + n, sizeof q->head - 1 - n, 0);
        if (got <= 0) {
            return false;
        }
        n += (size_t)got;
        q->head[n] = '\0';
    }
    return sscanf(q->head, "GET %4095s HTTP/1.1", q->target) == 1;
}

static inline bool http_send(int fd, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        const ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        p += n;
        len -= (size_t)n;
    }
    return true;
}

/* Until the other side goes away or the server ends. */
static inline void http_be_silent(http_server *s, int fd)
{
    while (!atomic_load(&s->stop)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char byte = 0;
        if (poll(&p, 1, 20) > 0 && recv(fd, &byte, 1, 0) <= 0) {
            break;
        }
    }
}

static inline void http_serve(http_server *s, int fd)
{
    static const size_t piece = 65536;
    http_question q;
    char head[8192];
    http_answer a = {.code = 200, .sent = SIZE_MAX};
    if (!http_read_head(fd, &q)) {
        return;
    }
    (void)pthread_mutex_lock(&s->lock);
    s->handler(s->user, &q, &a);
    (void)pthread_mutex_unlock(&s->lock);
    int n =
        snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nConnection: close\r\n%s", a.code, a.headers);
    if (!a.no_length) {
        n += snprintf(head + n, sizeof head - (size_t)n, "Content-Length: %zu\r\n", a.len);
    }
    n += snprintf(head + n, sizeof head - (size_t)n, "\r\n");
    bool ok = http_send(fd, head, (size_t)n);
    const size_t end = a.sent < a.len ? a.sent : a.len;
    for (size_t at = 0; ok && at < end; at += piece) {
        ok = http_send(fd, a.body + at, end - at < piece ? end - at : piece);
        if (a.pause_ms > 0) {
            (void)usleep((useconds_t)a.pause_ms * 1000);
        }
    }
    if (ok && a.silent) {
        http_be_silent(s, fd);
    }
}

static inline void *http_main(void *user)
{
    http_server *s = user;
    while (!atomic_load(&s->stop)) {
        const int fd = accept(s->fd, NULL, NULL);
        if (fd >= 0) {
            http_serve(s, fd);
            (void)close(fd);
        }
    }
    return NULL;
}

static inline void http_server_start(http_server *s, http_handler *handler, void *user)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t n = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->handler = handler;
    s->user = user;
    atomic_init(&s->stop, false);
    (void)pthread_mutex_init(&s->lock, NULL);
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&at, n) != 0 || listen(s->fd, 16) != 0 ||
        getsockname(s->fd, (struct sockaddr *)&at, &n) != 0) {
        abort();
    }
    s->port = ntohs(at.sin_port);
    (void)snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", s->port);
    (void)setenv("no_proxy", "*", 1);
    if (pthread_create(&s->thread, NULL, http_main, s) != 0) {
        abort();
    }
}

static inline void http_server_end(http_server *s)
{
    atomic_store(&s->stop, true);
    (void)shutdown(s->fd, SHUT_RDWR); /* wakes accept() */
    (void)pthread_join(s->thread, NULL);
    (void)close(s->fd);
    (void)pthread_mutex_destroy(&s->lock);
}

#endif
