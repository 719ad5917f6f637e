// Catch's main for the tests that start the real daemon and speak to it over real sockets.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
