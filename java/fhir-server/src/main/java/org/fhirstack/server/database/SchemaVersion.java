package org.fhirstack.server.database;

import ca.uhn.fhir.util.VersionUtil;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.PreparedStatement;
import javax.sql.DataSource;
import org.fhirstack.server.ExitCode;
import org.fhirstack.server.StartupException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A table of one row a version that says which versions of HAPI have brought the schema up to date, and an advisory lock
 * around doing so.
 */
class SchemaVersion {
    private static final Logger LOG = LoggerFactory.getLogger(SchemaVersion.class);
    private static final String TABLE = "fhir_server_schema";
    /** Any number, the same for all servers on one database. */
    private static final long LOCK = 0x66686972L;

    private final DataSource dataSource;
    private final String current = VersionUtil.getVersion();

    SchemaVersion(DataSource dataSource) {
        this.dataSource = dataSource;
    }

    /**
     * Waits for the turn of this server and decides what Hibernate is to do.
     *
     * @param asked {@code hibernate.hbm2ddl.auto} as configured: update, validate or none
     * @throws StartupException when there is no schema and none may be made
     */
    Turn begin(String asked) {
        try {
            Connection connection = dataSource.getConnection();
            try {
                execute(connection, "select pg_advisory_lock(" + LOCK + ")");
                return new Turn(connection, decide(connection, asked));
            } catch (SQLException | RuntimeException e) {
                connection.close();
                throw e;
            }
        } catch (SQLException e) {
            throw new StartupException(
                    ExitCode.DATABASE_UNAVAILABLE, "cannot look at the schema: " + e.getMessage(), e);
        }
    }

    private String decide(Connection connection, String asked) throws SQLException {
        if (!exists(connection, "hfj_resource")) {
            if ("update".equals(asked)) {
                LOG.info("empty database: the schema of HAPI {} will be made", current);
                return "update";
            }
            throw new StartupException(
                    ExitCode.CONFIGURATION,
                    "the database has no schema and spring.jpa.properties.hibernate.hbm2ddl.auto is '" + asked
                            + "': set it to 'update' for the first start");
        }
        if (!"update".equals(asked)) {
            return asked;
        }
        if (isRecorded(connection)) {
            LOG.info("the schema is at HAPI {}: nothing to do", current);
            return "none";
        }
        LOG.info("the schema has not been checked by HAPI {}: missing tables and columns will be added", current);
        return "update";
    }

    private static boolean exists(Connection connection, String table) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement("select to_regclass(?) is not null")) {
            query.setString(1, table);
            return isTrue(query);
        }
    }

    private boolean isRecorded(Connection connection) throws SQLException {
        if (!exists(connection, TABLE)) {
            return false;
        }
        try (PreparedStatement query =
                connection.prepareStatement("select exists (select 1 from " + TABLE + " where hapi_version = ?)")) {
            query.setString(1, current);
            return isTrue(query);
        }
    }

    private static boolean isTrue(PreparedStatement query) throws SQLException {
        try (ResultSet result = query.executeQuery()) {
            return result.next() && result.getBoolean(1);
        }
    }

    private static void execute(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    /** Held while Hibernate works; to be closed whatever happens. */
    final class Turn implements AutoCloseable {
        private final Connection connection;
        private final String action;

        private Turn(Connection connection, String action) {
            this.connection = connection;
            this.action = action;
        }

        /** What {@code hibernate.hbm2ddl.auto} is to be. */
        String action() {
            return action;
        }

        /** Notes that the schema is now at this version. */
        void done() {
            if (!"update".equals(action)) {
                return;
            }
            try {
                execute(
                        connection,
                        "create table if not exists " + TABLE
                                + " (hapi_version varchar(40) primary key, at timestamptz not null default now())");
                try (PreparedStatement insert = connection.prepareStatement(
                        "insert into " + TABLE + " (hapi_version) values (?) on conflict do nothing")) {
                    insert.setString(1, current);
                    insert.executeUpdate();
                }
            } catch (SQLException e) {
                // the next start compares again: slower, not wrong
                LOG.warn("the version of the schema could not be noted: {}", e.getMessage());
            }
        }

        @Override
        public void close() {
            try (connection) {
                execute(connection, "select pg_advisory_unlock(" + LOCK + ")");
            } catch (SQLException e) {
                // a lost connection has lost its lock too
                LOG.warn("the schema lock was not given back in order: {}", e.getMessage());
            }
        }
    }
}
