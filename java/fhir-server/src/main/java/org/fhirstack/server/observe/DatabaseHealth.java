package org.fhirstack.server.observe;

import com.zaxxer.hikari.HikariDataSource;
import com.zaxxer.hikari.HikariPoolMXBean;
import java.sql.SQLException;
import org.fhirstack.server.database.DatabaseProbe;
import org.springframework.boot.actuate.health.AbstractHealthIndicator;
import org.springframework.boot.actuate.health.Health;

/**
 * UP when the database has just answered a query and the pool has a connection. After an outage the pool waits longer and
 * longer between attempts (up to its connection timeout), so it can be some seconds behind the database.
 */
class DatabaseHealth extends AbstractHealthIndicator {
    private final DatabaseProbe probe;
    private final HikariDataSource pool;

    DatabaseHealth(DatabaseProbe probe, HikariDataSource pool) {
        super("the database does not answer");
        this.probe = probe;
        this.pool = pool;
    }

    @Override
    protected void doHealthCheck(Health.Builder builder) throws SQLException {
        probe.query();
        if (poolIsEmpty()) {
            builder.down().withDetail("pool", "reconnecting");
        } else {
            builder.up();
        }
    }

    private boolean poolIsEmpty() {
        HikariPoolMXBean state = pool.getHikariPoolMXBean();
        return state != null && state.getTotalConnections() == 0;
    }
}
