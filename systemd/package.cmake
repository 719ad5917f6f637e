# The Debian package, which `cpack` makes out of what `cmake --install` puts in place; tools/package calls it. What only
# the package has (copyright, changelog, conffiles, its default configuration) is added by debian/stage.cmake.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME turnpike)
set(CPACK_PACKAGE_VENDOR turnpike)
set(CPACK_PACKAGE_CONTACT "turnpike maintainers <maintainers@users.noreply.b-seed-660c2b0a.example>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "STUN and TURN relay for WebRTC and other peer-to-peer programs")
set(CPACK_PACKAGE_DESCRIPTION "\
turnpike lets two programs on different networks reach each other. It tells a
client the address that it has on the Internet (STUN), and relays its data
(TURN) when there is no direct path, over UDP, TCP, TLS and DTLS. It can also serve a
call page and the signaling that two browsers need before they can talk.
.
This package contains the daemon with its systemd service, turnpikectl to
control it, stunclient to try out STUN and TURN servers, and turnbench to
measure them.")

# 12 on bookworm, 13 on trixie: the libraries differ, so a newer release has to replace the package of an older one.
set(release "")
if(EXISTS /etc/os-release)
  file(STRINGS /etc/os-release os_release REGEX "^(ID|VERSION_ID)=")
  if(os_release MATCHES "(^|;)ID=debian(;|$)" AND os_release MATCHES "VERSION_ID=\"?([0-9]+)")
    set(release "~deb${CMAKE_MATCH_1}")
  endif()
endif()
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_DEBIAN_PACKAGE_VERSION ${PROJECT_VERSION}${release})
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# postinst makes the account and sets who may read /etc/turnpike, also on machines that systemd has not booted.
set(CPACK_DEBIAN_PACKAGE_DEPENDS
    "systemd | systemd-standalone-sysusers, systemd | systemd-standalone-tmpfiles")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(conffiles ${PROJECT_BINARY_DIR}/debian/conffiles)
file(WRITE ${conffiles} "/etc/turnpike/turnpike.yaml\n")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${CMAKE_CURRENT_LIST_DIR}/debian/postinst ${CMAKE_CURRENT_LIST_DIR}/debian/prerm
    ${CMAKE_CURRENT_LIST_DIR}/debian/postrm ${conffiles})

# The prefix is /usr as for `cmake --install --prefix /usr`, with the configuration in /etc.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/debian/stage.cmake)
set(CPACK_TURNPIKE_SOURCE_DIR ${PROJECT_SOURCE_DIR})
set(CPACK_TURNPIKE_LICENSE ${TURNPIKE_LICENSE})
set(CPACK_TURNPIKE_SOCKET_IO_LICENSE ${TURNPIKE_SOCKET_IO_CLIENT}/LICENSE)
include(CPack)
