/* pawld: one node of a pawl cluster. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

#include "node/daemon.h"
#include "node/say.h"

enum { EXIT_USAGE = 2 };

static const char help[] =
    "pawld: one node of a pawl cluster\n"
    "\n"
    "  pawld --data DIR [--name NAME] [--peer HOST:PORT] [--client HOST:PORT]\n"
    "\n"
    "  --data DIR          everything this node knows; made if it is missing\n"
    "  --name NAME         for people (default: n1)\n"
    "  --peer HOST:PORT    where the other nodes reach it (default: 127.0.0.1:4771)\n"
    "  --client HOST:PORT  where clients and workers reach it (default: 127.0.0.1:4770)\n"
    "  --debug             say more\n"
    "  --version, --help\n"
    "\n"
    "A node without a cluster waits for `pawl cluster init --nodes PEER,PEER,PEER`. What it is "
    "comes from its data\n"
    "directory alone; start it again with the same command after any crash. Until identity is "
    "built it listens on\n"
    "loopback addresses only.\n";

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strncmp(address, "localhost:", 10) == 0 ||
           strncmp(address, "[::1]:", 6) == 0;
}

static int usage(const char *what)
{
    fprintf(stderr, "error[PAWL_INVALID]: %s\nhint: pawld --help\n", what);
    return EXIT_USAGE;
}

static int stop_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &signals, SFD_CLOEXEC);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"data", required_argument, NULL, 'd'}, {"name", required_argument, NULL, 'n'},
        {"peer", required_argument, NULL, 'p'}, {"client", required_argument, NULL, 'c'},
        {"debug", no_argument, NULL, 'D'},      {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0}};
    struct daemon_options daemon = {
        .name = "n1", .peer_address = "127.0.0.1:4771", .client_address = "127.0.0.1:4770"};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'd':
            daemon.data_path = optarg;
            break;
        case 'n':
            daemon.name = optarg;
            break;
        case 'p':
            daemon.peer_address = optarg;
            break;
        case 'c':
            daemon.client_address = optarg;
            break;
        case 'D':
            say_level_set(SAY_DEBUG);
            break;
        case 'v':
            puts("pawld " PAWL_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            fputs(help, stdout);
            return EXIT_SUCCESS;
        default:
            return usage("an option is not known");
        }
    }
    if (optind < argc || daemon.data_path == NULL)
        return usage("name the data directory with --data, and nothing else without an option");
    if (!is_loopback(daemon.peer_address) || !is_loopback(daemon.client_address))
        return usage(
            "until identity is built, pawld listens on loopback addresses only (127.0.0.1)");
    struct pawl_diag diag = {0};
    enum pawl_error error = daemon_run(&daemon, stop_signals(), &diag);
    if (error == PAWL_OK)
        return EXIT_SUCCESS;
    fprintf(stderr, "error[PAWL_%s]: %s\n", pawl_error_name(error),
            diag.text[0] != '\0' ? diag.text : pawl_error_text(error));
    return EXIT_FAILURE;
}
