package org.fhirstack.server.database;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;

/**
 * Asks the database over a connection of its own: a probe through the pool would wait as long as the pool does when the
 * database is gone, and would call the database gone when the pool is only busy.
 */
public class DatabaseProbe implements AutoCloseable {
    private static final String TIMEOUT_SECONDS = "2";

    private final String url;
    private final Properties login;
    private Connection connection;

    DatabaseProbe(String url, String user, String password) {
        this.url = url;
        this.login = new Properties();
        login.setProperty("loginTimeout", TIMEOUT_SECONDS);
        login.setProperty("connectTimeout", TIMEOUT_SECONDS);
        login.setProperty("socketTimeout", TIMEOUT_SECONDS);
        login.setProperty("ApplicationName", "fhir-server-probe");
        if (user != null) {
            login.setProperty("user", user);
        }
        if (password != null) {
            login.setProperty("password", password);
        }
    }

    /**
     * One query; a connection that died since the last one is replaced at once.
     *
     * @throws SQLException when the database does not answer within some 2 s an attempt
     */
    public synchronized void query() throws SQLException {
        if (connection != null) {
            try {
                select();
                return;
            } catch (SQLException e) {
                close();
            }
        }
        connection = DriverManager.getConnection(url, login);
        select();
    }

    private void select() throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("select 1");
        }
    }

    @Override
    public synchronized void close() {
        if (connection == null) {
            return;
        }
        try {
            connection.close();
        } catch (SQLException e) {
            // it is being thrown away
        }
        connection = null;
    }
}
