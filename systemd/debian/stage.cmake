# Run by cpack between the installation into the staging folder and the making of the package.
cmake_minimum_required(VERSION 3.25)
set(stage ${CPACK_TEMPORARY_INSTALL_DIRECTORY})
set(doc ${stage}/usr/share/doc/turnpike)
set(readable OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)

# The package's configuration is conf/turnpike.yaml with one line switched on. Without users and secrets it is STUN alone.
set(config ${stage}/etc/turnpike/turnpike.yaml)
file(READ ${config} text)
set(off "  # listen: [unix:/run/turnpike/admin.sock, http://127.0.0.1:9641]\n")
set(on "  # turnpikectl needs the first of them, so the Debian package has it on; /run/turnpike is there while the service runs.\n")
string(APPEND on "  listen: [unix:/run/turnpike/admin.sock]\n")
string(REPLACE "${off}" "${on}" changed "${text}")
set(header "every key with its default, so an empty file means the same.\n")
string(REPLACE "${header}" "every key with its default, but for admin.listen.\n" changed "${changed}")
string(LENGTH "${text}" length_before)
string(LENGTH "${changed}" length_after)
string(LENGTH "${off}${header}" length_off)
string(LENGTH "${on}every key with its default, but for admin.listen.\n" length_on)
math(EXPR expected "${length_before} - ${length_off} + ${length_on}")
if(NOT length_after EQUAL expected)
  message(FATAL_ERROR "conf/turnpike.yaml has changed: ${CMAKE_CURRENT_LIST_FILE} does not find the two lines to replace")
endif()
file(WRITE ${config} "${changed}")

# SOURCE_DATE_EPOCH, or the date of the commit, or now.
if(NOT DEFINED ENV{SOURCE_DATE_EPOCH})
  execute_process(COMMAND git -c safe.directory=* -C ${CPACK_TURNPIKE_SOURCE_DIR} log -1 --format=%ct
                  OUTPUT_VARIABLE seconds OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed AND seconds)
    set(ENV{SOURCE_DATE_EPOCH} ${seconds})
  endif()
endif()
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
string(TIMESTAMP year "%Y" UTC)

file(WRITE ${doc}/changelog
"turnpike (${CPACK_DEBIAN_PACKAGE_VERSION}) unstable; urgency=medium

  * Version ${CPACK_PACKAGE_VERSION}.

 -- ${CPACK_PACKAGE_CONTACT}  ${date}
")
execute_process(COMMAND gzip -9nf ${doc}/changelog COMMAND_ERROR_IS_FATAL ANY)
file(CHMOD ${doc}/changelog.gz PERMISSIONS ${readable})

set(CPACK_TURNPIKE_EMBEDDED "")
if(EXISTS "${CPACK_TURNPIKE_SOCKET_IO_LICENSE}")
  file(READ ${CPACK_TURNPIKE_SOCKET_IO_LICENSE} text)
  string(REGEX MATCH "Copyright [^\n]*" holder "${text}")
  string(STRIP "${text}" text)
  string(REGEX REPLACE "\n[ \t]*\n+" "\n.\n" text "${text}")
  string(REPLACE "\n" "\n " text "${text}")
  string(REPLACE "Copyright (c) " "" holder "${holder}")
  set(CPACK_TURNPIKE_EMBEDDED "
Files: build/npm/node_modules/socket.io-client/*
Copyright: ${holder}
License: Expat
Comment: Socket.IO's client is part of the program turnpike, which serves it to browsers.

License: Expat
 ${text}
")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/copyright.in ${doc}/copyright @ONLY)
file(CHMOD ${doc}/copyright PERMISSIONS ${readable})

# Not by file(INSTALL), which would put $DESTDIR in front once more.
file(MAKE_DIRECTORY ${stage}/usr/share/lintian/overrides)
file(COPY_FILE ${CMAKE_CURRENT_LIST_DIR}/lintian-overrides ${stage}/usr/share/lintian/overrides/turnpike)
file(CHMOD ${stage}/usr/share/lintian/overrides/turnpike PERMISSIONS ${readable})

# Whatever the umask of who packs it.
execute_process(COMMAND find ${stage} -type d -exec chmod 755 {} + COMMAND_ERROR_IS_FATAL ANY)
